"""The trail in a service's own database."""

import hashlib
from typing import Any

import structlog
from pymongo import ASCENDING, IndexModel
from pymongo.asynchronous.database import AsyncDatabase

from libs.chassis.audit.entry import AuditEntry
from libs.chassis.mongo import driver_errors
from libs.kernel import Clock, SystemClock, new_id


class MongoAuditTrail:
    """Collection ``audit``: one document a record, never changed by its writer.

    Args:
        database: The service's own.
        service: Its name, in every record.
        clock: Wall clock of the records' times (UTC).
    """

    INDEXES = (
        IndexModel([("actor_id", ASCENDING), ("_id", ASCENDING)], name="actor"),
        IndexModel([("target_id", ASCENDING), ("_id", ASCENDING)], name="target"),
    )

    def __init__(
        self,
        database: AsyncDatabase[dict[str, Any]],
        service: str,
        clock: Clock | None = None,
    ) -> None:
        self._records = database["audit"]
        self._service = service
        self._clock = clock or SystemClock()

    async def create_indexes(self) -> None:
        """Make the indexes; idempotent."""
        with driver_errors(None):
            await self._records.create_indexes(list(self.INDEXES))

    async def record(self, entry: AuditEntry, session: Any) -> None:  # noqa: ANN401 - the driver's
        """Keep an entry; see `AuditTrail.record`."""
        with driver_errors(session):
            await self._records.insert_one(self._document(entry), session=session)

    def _document(self, entry: AuditEntry) -> dict[str, Any]:
        bound = structlog.contextvars.get_contextvars()
        return {
            "_id": new_id(),
            "at": self._clock.now(),
            "service": self._service,
            "action": entry.action,
            "actor_id": entry.actor_id,
            "target_id": entry.target_id,
            "on_behalf_of": entry.on_behalf_of,
            "session_hash": _hash(entry.session_id),
            "source": entry.source,
            "result": entry.result.value,
            "reason": entry.reason,
            "details": dict(entry.details),
            "request_id": str(bound.get("request_id", "")),
        }


def _hash(session_id: str) -> str:
    """Return what tells sessions apart without letting one be used."""
    return hashlib.sha256(session_id.encode()).hexdigest() if session_id else ""
