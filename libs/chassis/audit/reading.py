"""What a user did and suffered, for whoever may read it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from libs.chassis.audit.entry import AuditEntry, AuditResult
from libs.chassis.audit.rights import RECORDS, audit_database_of
from libs.chassis.mongo import map_mongo_errors

if TYPE_CHECKING:
    from pymongo.asynchronous.database import AsyncDatabase


@dataclass(frozen=True)
class AuditRecord:
    """An entry as it was kept; the session it was done with is not told.

    Attributes:
        record_id: Grows with the time of the record.
    """

    record_id: str
    at: datetime
    entry: AuditEntry


class AuditReader(Protocol):
    """Shows what was done."""

    async def about(
        self, user_id: str, *, before: str | None, limit: int
    ) -> Sequence[AuditRecord]:
        """Return what a user did and what was done to them, the newest first.

        Args:
            user_id: Actor or target.
            before: Id of the last record of the page before.
            limit: At most this many.
        """
        ...


class MongoAuditReader:
    """Implements `AuditReader` by the indexes on actor and target.

    Args:
        database: The service's own; the audit's is beside it.
    """

    def __init__(self, database: "AsyncDatabase[dict[str, Any]]") -> None:
        audit = database.client.get_database(
            audit_database_of(database.name),
            codec_options=database.codec_options.with_options(tz_aware=True),
        )
        self._records = audit[RECORDS]

    async def about(
        self, user_id: str, *, before: str | None, limit: int
    ) -> Sequence[AuditRecord]:
        """Return what a user did and suffered; see `AuditReader.about`."""
        query: dict[str, Any] = {"$or": [{"actor_id": user_id}, {"target_id": user_id}]}
        if before is not None:
            query["_id"] = {"$lt": before}
        with map_mongo_errors():
            cursor = self._records.find(query).sort("_id", -1).limit(limit)
            return [_record(document) async for document in cursor]


def _record(document: dict[str, Any]) -> AuditRecord:
    entry = AuditEntry(
        action=document["action"],
        actor_id=document["actor_id"],
        target_id=document["target_id"],
        on_behalf_of=document["on_behalf_of"],
        source=document["source"],
        result=AuditResult(document["result"]),
        reason=document["reason"],
        details=document["details"],
    )
    return AuditRecord(document["_id"], document["at"], entry)
