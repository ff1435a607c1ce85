"""Drives an app's ASGI lifespan in a task of its own; source: ASGI lifespan 2.0."""

import asyncio
from typing import Any

from libs.chassis.asgi import ASGIApp, Message, Scope
from libs.chassis.errors import StartError

_RAISE_SECONDS = 1.0


class LifespanRunner:
    """Starts and stops one app.

    Attributes:
        state: What the lifespan yielded; copied into every request's scope.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._incoming: asyncio.Queue[Message] = asyncio.Queue()
        self._started = asyncio.Event()
        self._stopped = asyncio.Event()
        self._failure: str | None = None
        self._task: asyncio.Task[None] | None = None
        self.state: dict[str, Any] = {}

    @property
    def task(self) -> "asyncio.Task[None]":
        """The task in which the lifespan runs; done before `stop` means it broke."""
        if self._task is None:
            raise RuntimeError("the lifespan has not been started")
        return self._task

    async def start(self) -> None:
        """Run the app's start-up.

        Raises:
            StartError: The app reported a failure.
            Exception: What the app raised.
        """
        self._task = asyncio.create_task(self._run(), name="lifespan")
        await self._incoming.put({"type": "lifespan.startup"})
        await self._wait(self._started)
        if self._failure is not None:
            # Starlette reports a traceback, then raises: what it raises says more.
            await asyncio.wait({self.task}, timeout=_RAISE_SECONDS)
            if self.task.done():
                await self.task
            raise StartError(self._failure)

    async def stop(self) -> None:
        """Run the app's shut-down; raises what the app raised."""
        if not self.task.done():
            await self._incoming.put({"type": "lifespan.shutdown"})
            await self._wait(self._stopped)
        await self.task

    async def cancel(self) -> None:
        """End the lifespan wherever it is."""
        self.task.cancel()
        await asyncio.wait({self.task})

    async def _run(self) -> None:
        scope: Scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        await self._app(scope, self._incoming.get, self._send)

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if kind.endswith(".failed"):
            self._failure = message.get("message") or "the app gave no reason"
        done = self._started if kind.startswith("lifespan.startup") else self._stopped
        done.set()

    async def _wait(self, event: asyncio.Event) -> None:
        waiting = asyncio.create_task(event.wait())
        await asyncio.wait({waiting, self.task}, return_when="FIRST_COMPLETED")
        waiting.cancel()
        if self.task.done():
            await self.task
