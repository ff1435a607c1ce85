"""Tells gateway and chat at once that a session is over."""

import asyncio
import json
from collections.abc import Sequence

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.auth.domain import Session

REVOCATION_CHANNEL = "session.revoked"
_DEADLINE_SECONDS = 0.5
_log = structlog.get_logger(__name__)


class RedisAnnouncer:
    """Publishes on the channel that only gateway and chat may read.

    Best effort: listeners also get the event, and poll.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def announce(self, sessions: Sequence[Session]) -> None:
        """Publish ``{"session_id", "user_id"}`` for each session."""
        try:
            async with asyncio.timeout(_DEADLINE_SECONDS):
                for session in sessions:
                    await self._redis.publish(REVOCATION_CHANNEL, _message(session))
        except (RedisError, OSError, TimeoutError) as error:
            _log.warning(
                "revocation_announcement_failed",
                error_class=type(error).__name__,
                count=len(sessions),
            )


class MemoryAnnouncer:
    """Remembers what was announced."""

    def __init__(self) -> None:
        self.announced: list[Session] = []

    async def announce(self, sessions: Sequence[Session]) -> None:
        """Remember the sessions."""
        self.announced += sessions


def _message(session: Session) -> str:
    return json.dumps({"session_id": session.session_id, "user_id": session.user_id})
