"""Notices that a client has gone while a service still works for it."""

import asyncio
from types import TracebackType
from typing import Self

from services.gateway.domain.errors import ClientGoneError
from services.gateway.proxy.body import RequestBody

_PATIENCE_SECONDS = 0.05


class DisconnectWatch:
    """Cancels the block it guards when the client goes away.

    Most requests are answered before a watch would pay: it starts after 50 ms.
    Leaving the block raises `ClientGoneError` if the client went.
    """

    def __init__(self, body: RequestBody) -> None:
        self._body = body
        self._is_gone = False
        self._owner: asyncio.Task[object] | None = None
        self._watcher: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        self._owner = asyncio.current_task()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(_PATIENCE_SECONDS, self._start)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
        if self._is_gone and self._owner is not None:
            self._owner.uncancel()
            raise ClientGoneError from error

    def _start(self) -> None:
        self._watcher = asyncio.get_running_loop().create_task(
            self._watch(), name="disconnect_watch"
        )

    async def _watch(self) -> None:
        await self._body.gone()
        self._is_gone = True
        if self._owner is not None:
            self._owner.cancel()
