"""Senders' own read markers on their way to the database.

Sending moves the sender's marker. That is not worth a statement in every commit: who
sends twenty messages a second has their marker stored once. Until then the reads of
this process see it here. A process that is killed leaves markers behind by what it had
not stored, never ahead, and a marker that somebody set by reading is no matter of this
module: nothing of it is lost. Source: DESIGN.md section 4, ADR 0009.
"""

import asyncio
from typing import Any

import msgspec
import structlog
from pymongo.asynchronous.database import AsyncDatabase

from libs.chassis.mongo import map_mongo_errors
from libs.kernel import AppError, ConversationId, UserId
from services.chat.domain.conversation import Member
from services.chat.repository.documents import member_key

INTERVAL_SECONDS = 1.0
_CHUNK = 500
_LOW = {"w": 1}  # what an election rolls back is behind; the next message moves it on
_log = structlog.get_logger()


class SenderMarkers:
    """Newest own message of each sender that is not stored as their marker yet.

    Args:
        database: Holds the memberships.
    """

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._members = database["members"]
        self._pending: dict[str, int] = {}
        self._has_pending = asyncio.Event()

    def note(self, conversation_id: ConversationId, user_id: UserId, seq: int) -> None:
        """Take the seq of a committed message; a lower one changes nothing."""
        key = member_key(conversation_id, user_id)
        if seq > self._pending.get(key, 0):
            self._pending[key] = seq
            self._has_pending.set()

    def applied(self, member: Member) -> Member:
        """Return a membership with the marker that is on its way."""
        if not self._pending:
            return member
        key = member_key(member.conversation_id, member.user_id)
        seq = self._pending.get(key, 0)
        if seq <= member.read_seq:
            return member
        return msgspec.structs.replace(member, read_seq=seq)

    async def run(self) -> None:
        """Store what waits: at once after a quiet second, else once a second."""
        while True:
            await self._has_pending.wait()
            try:
                await self.flush()
            except AppError as error:
                _log.warning("sender_markers_delayed", code=error.code)
            await asyncio.sleep(INTERVAL_SECONDS)

    async def flush(self) -> None:
        """Store what waits now.

        Raises:
            UnavailableError: The database does not answer; what waits goes on waiting.
        """
        self._has_pending.clear()
        waiting = list(self._pending.items())
        for start in range(0, len(waiting), _CHUNK):
            try:
                await self._store(waiting[start : start + _CHUNK])
            except BaseException:
                self._has_pending.set()
                raise

    async def _store(self, markers: list[tuple[str, int]]) -> None:
        updates = [
            {"q": {"_id": key}, "u": {"$max": {"read_seq": seq}}}
            for key, seq in markers
        ]
        with map_mongo_errors():
            await self._members.database.command(
                "update",
                self._members.name,
                updates=updates,
                ordered=False,
                writeConcern=_LOW,
            )
        for key, seq in markers:
            if self._pending.get(key) == seq:  # else it moved on meanwhile
                del self._pending[key]
