"""Public keys that somebody else publishes (JW-4)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import structlog

from libs.crypto import SigningKeysError
from libs.kernel import AppError, Clock, SystemClock, UnavailableError

KEYS_FRESH_SECONDS = 30.0
_STALE_SECONDS = 2.0
_FETCH_SECONDS = 3.0
_log = structlog.get_logger()

K = TypeVar("K")
FetchJwks = Callable[[], Awaitable[object]]


class KeySet(Generic[K]):
    """A JWKS document of somebody else's, cached.

    They are fetched again in the background when older than 30 s, while the caller
    waits when older than 32 s, and at once for an unknown id; not more than once in
    30 s: random ids cost its owner nothing. With the verifier's 25 s a key that was
    taken away is refused within a minute (JW-4). While the owner is away the last keys
    stay.

    Args:
        fetch: Returns the parsed JWKS document.
        parse: Reads it; a key by its id.
        fresh_seconds: How long an answer is not asked for again; 30 at most, or a
            key that was taken away would live longer than a minute.
    """

    def __init__(
        self,
        fetch: FetchJwks,
        parse: Callable[[object], dict[str, K]],
        clock: Clock | None = None,
        fresh_seconds: float = KEYS_FRESH_SECONDS,
    ) -> None:
        self._fetch = fetch
        self._parse = parse
        self._fresh_seconds = fresh_seconds
        self._clock = clock or SystemClock()
        self._keys: dict[str, K] = {}
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._refreshing: asyncio.Task[None] | None = None

    async def key(self, kid: str) -> K | None:
        """Return the key of an id; None if there is none.

        Raises:
            UnavailableError: No key is known at all and none can be fetched.
        """
        now = self._clock.monotonic()
        is_due = now - self._tried_at >= (self._fresh_seconds if self._keys else 1.0)
        if kid in self._keys:
            age = now - self._fetched_at
            if is_due and age >= self._fresh_seconds:
                refresh = self._start_refresh()
                if age >= self._fresh_seconds + _STALE_SECONDS:
                    await asyncio.shield(refresh)
            return self._keys.get(kid)
        if is_due or self._refreshing is not None:
            await asyncio.shield(self._start_refresh())
        if not self._keys:
            raise UnavailableError("keys_unavailable", "The keys cannot be had.")
        return self._keys.get(kid)

    async def aclose(self) -> None:
        """Stop a refresh that is under way."""
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.wait({self._refreshing})

    def _start_refresh(self) -> "asyncio.Task[None]":
        if self._refreshing is None:
            self._tried_at = self._clock.monotonic()
            self._refreshing = asyncio.create_task(self._refresh(), name="jwks")
            self._refreshing.add_done_callback(self._on_refreshed)
        return self._refreshing

    def _on_refreshed(self, _: object) -> None:
        self._refreshing = None

    async def _refresh(self) -> None:
        try:
            async with asyncio.timeout(_FETCH_SECONDS):
                keys = self._parse(await self._fetch())
        except (AppError, SigningKeysError, TimeoutError, OSError) as error:
            _log.warning("keys_not_fetched", error=type(error).__name__)
            return
        self._fetched_at = self._clock.monotonic()
        self._keys = keys
