"""Which sessions have ended: known within a second, from three sources (SR-1).

The Redis channel ``session.revoked``, the live event of the same name, and auth's
list, polled every 5 s. One is enough; if all are gone, a token lives until its
expiry, never longer. Source: ADR 0014.
"""

import asyncio
import contextlib
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

import orjson
import structlog
from redis.asyncio import Redis

from libs.chassis.access_tokens import LEEWAY_SECONDS, LIFETIME_SECONDS
from libs.chassis.redis import map_redis_errors
from libs.chassis.tasks import TaskSupervisor
from libs.events.catalog.session import SessionRevoked
from libs.kernel import AppError, Clock, UnavailableError

CHANNEL = "session.revoked"
"""Its messages are JSON: ``{"session_id", "user_id"}``; written by auth."""
POLL_PATH = "/internal/sessions"
_POLL_SECONDS = 5.0
_FIRST_POLL_SECONDS = 3.0
_REMEMBER_SECONDS = LIFETIME_SECONDS + LEEWAY_SECONDS + 30
_LISTEN_SECONDS = 1.0
_FULL_ANSWER = 1000
"""Auth's greatest answer: `as_of` then is a cursor that goes on from there."""
_MAX_ANSWERS = 200
_log = structlog.get_logger()


class AuthClient(Protocol):
    """What is asked of auth; `libs.chassis.http.ServiceClient` satisfies it."""

    async def get(self, path: str, *, params: dict[str, str] | None = None) -> Any:  # noqa: ANN401 - JSON
        """Return the parsed answer to a GET."""
        ...


@dataclass(frozen=True)
class RevokedSession:
    """A session whose tokens are refused from now on."""

    session_id: str
    user_id: str


OnRevoked = Callable[[RevokedSession], Awaitable[None] | None]


class SessionWatch:
    """Knows the sessions that ended within the life of an access token.

    Example::

        async with SessionWatch(redis, auth_client, clock).run() as watch:
            watch.on_revoked(close_sockets)

    Args:
        redis: May subscribe to the channel; None where there is no Redis.
        client_for_auth: Asks auth for its list.
        clock: Wall clock and monotonic time.
    """

    def __init__(
        self, redis: Redis | None, client_for_auth: AuthClient, clock: Clock
    ) -> None:
        self._redis = redis
        self._auth = client_for_auth
        self._clock = clock
        self._revoked: dict[str, float] = {}
        self._callbacks: list[OnRevoked] = []
        self._tasks: TaskSupervisor | None = None
        self._since: str | None = None
        self._poll_now = asyncio.Event()
        self._polled_at = float("-inf")

    def is_revoked(self, session_id: str) -> bool:
        """Tell whether a session has ended; costs a dictionary look-up."""
        return session_id in self._revoked

    def on_revoked(self, callback: OnRevoked) -> None:
        """Have a function called once for each session that ends from now on.

        It may be a coroutine function; it then runs as a task of this watch.
        """
        self._callbacks.append(callback)

    async def handle_event(
        self, event: SessionRevoked, _context: object = None
    ) -> None:
        """Take a live event; the handler of a live subscription."""
        self.revoke(event.session_id, event.user_id)

    def revoke(self, session_id: str, user_id: str) -> None:
        """Remember a session as ended; the second time changes nothing."""
        if session_id in self._revoked:
            return
        self._revoked[session_id] = self._clock.monotonic() + _REMEMBER_SECONDS
        ended = RevokedSession(session_id, user_id)
        for callback in self._callbacks:
            self._call(callback, ended)

    @contextlib.asynccontextmanager
    async def run(self) -> AsyncIterator["SessionWatch"]:
        """Listen and poll until the block is left.

        Asks auth once before it begins, for at most 3 s, so that a restarted process
        does not accept what has been revoked while it was away (SR-4).
        """
        async with TaskSupervisor() as tasks:
            self._tasks = tasks
            with contextlib.suppress(AppError, TimeoutError):
                async with asyncio.timeout(_FIRST_POLL_SECONDS):
                    await self.poll()
            tasks.start("session-poll", self._poll_for_ever)
            if self._redis is not None:
                tasks.start("session-channel", self._listen)
            try:
                yield self
            finally:
                self._tasks = None

    async def check(self) -> None:
        """Check for `Health.add`: auth was asked within the last four polls.

        Raises:
            UnavailableError: Revocations may be unknown here.
        """
        if self._clock.monotonic() - self._polled_at > 4 * _POLL_SECONDS:
            raise UnavailableError("sessions_stale", "Auth's list cannot be had.")

    async def poll(self) -> None:
        """Ask auth for what has changed since the last answer.

        Raises:
            UnavailableError: It does not answer.
        """
        for _ in range(_MAX_ANSWERS):
            since = self._since or self._start()
            answer = await self._auth.get(POLL_PATH, params={"changed_since": since})
            ended, self._since = _read(answer)
            for session in ended:
                self.revoke(session.session_id, session.user_id)
            if len(ended) < _FULL_ANSWER or self._since == since:
                break
        self._polled_at = self._clock.monotonic()

    def _start(self) -> str:
        start = self._clock.now() - timedelta(seconds=_REMEMBER_SECONDS)
        return start.isoformat()

    def _forget(self) -> None:
        now = self._clock.monotonic()
        old = [sid for sid, until in self._revoked.items() if until <= now]
        for session_id in old:
            del self._revoked[session_id]

    async def _poll_for_ever(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_POLL_SECONDS):
                    await self._poll_now.wait()
            self._poll_now.clear()
            self._forget()
            try:
                await self.poll()
            except AppError as error:
                _log.warning("sessions_not_polled", error=error.code)

    async def _listen(self) -> None:
        if self._redis is None:
            return
        with map_redis_errors():
            async with self._redis.pubsub(ignore_subscribe_messages=True) as channel:
                await channel.subscribe(CHANNEL)
                self._poll_now.set()  # what was said before we listened
                while True:
                    message = await channel.get_message(timeout=_LISTEN_SECONDS)
                    if message is not None:
                        self._take(message["data"])

    def _take(self, raw: object) -> None:
        try:
            document = orjson.loads(raw if isinstance(raw, (bytes, str)) else b"")
            self.revoke(str(document["session_id"]), str(document["user_id"]))
        except (ValueError, KeyError, TypeError):
            _log.warning("session_message_refused")

    def _call(self, callback: OnRevoked, ended: RevokedSession) -> None:
        async def call() -> None:
            result = callback(ended)
            if inspect.isawaitable(result):
                await result

        if self._tasks is not None:
            self._tasks.spawn("session-revoked", call)


def _read(answer: object) -> tuple[list[RevokedSession], str]:
    try:
        ended = [
            RevokedSession(str(entry["session_id"]), str(entry["user_id"]))
            for entry in answer["revoked"]  # type: ignore[index]  # checked by trying
        ]
        return ended, str(answer["as_of"])  # type: ignore[index]  # as above
    except (KeyError, TypeError) as error:
        raise UnavailableError("auth_unavailable", "Auth's list is no list.") from error
