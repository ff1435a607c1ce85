"""Brings the database to what this version needs, by command and never by itself.

Two things make the schema: indexes, which are declared, and migrations, which are
done once each. What was done is recorded in ``migrations``. A database that is
ahead is fine: the older processes of a rolling update go on. Source: ADR 0018.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import bson.json_util
import pymongo
from pymongo import IndexModel

from libs.chassis.errors import StartError
from libs.chassis.lease import MongoLease
from libs.chassis.mongo import map_mongo_errors
from libs.kernel import Clock
from services.chat.repository.indexes import INDEXES
from services.chat.repository.migrations import MIGRATIONS, Database, Migration, Step

Report = Callable[[str, int, int], None]
"""Called with what is done, how many documents so far, and about how many in all."""

_INDEXES = "indexes"
_LEASE = "migrations"


@dataclass(frozen=True)
class SchemaStatus:
    """What is done and what is not.

    Attributes:
        applied: Migrations that are done, in their order.
        pending: Those that are not.
        missing_indexes: ``collection.name`` of declared ones that were never made.
    """

    applied: tuple[str, ...]
    pending: tuple[str, ...]
    missing_indexes: tuple[str, ...]

    @property
    def is_current(self) -> bool:
        """Whether this version can run on the database."""
        return not (self.pending or self.missing_indexes)


class SchemaBehindError(StartError):
    """The database lacks what this version needs."""

    def __init__(self, status: SchemaStatus) -> None:
        lacking = ", ".join((*status.pending, *status.missing_indexes))
        super().__init__(
            f"the database is behind ({lacking}): "
            "run python -m services.chat migrate apply"
        )


class Schema:
    """The schema of one database.

    Args:
        database: Chat's.
        clock: Gives the times that are recorded.
        migrations: In their order.
        indexes: By collection.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        migrations: Sequence[Migration] = MIGRATIONS,
        indexes: Mapping[str, Sequence[IndexModel]] = INDEXES,
    ) -> None:
        self._database = database
        self._records = database["migrations"]
        self._clock = clock
        self._migrations = migrations
        self._indexes = indexes

    async def status(self) -> SchemaStatus:
        """Tell what is done and what is not; changes nothing."""
        with map_mongo_errors():
            records = {record["_id"]: record async for record in self._records.find()}
        done = {_id for _id, record in records.items() if record.get("applied_at")}
        ids = [migration.migration_id for migration in self._migrations]
        known = set(records.get(_INDEXES, {}).get("specs", ()))
        declared = _specs(self._indexes)
        return SchemaStatus(
            applied=tuple(_id for _id in ids if _id in done),
            pending=tuple(_id for _id in ids if _id not in done),
            missing_indexes=tuple(
                name for name, spec in declared.items() if spec not in known
            ),
        )

    async def require_current(self) -> None:
        """Refuse to run on a database that is behind.

        Raises:
            SchemaBehindError: Tells what is lacking and the command that cures it.
            UnavailableError: The database does not answer.
        """
        status = await self.status()
        if not status.is_current:
            raise SchemaBehindError(status)

    async def apply(self, holder: str, report: Report) -> SchemaStatus:
        """Do what is not done; resumes where a run that was cut left off.

        Args:
            holder: Unique name of this run.
            report: Told after each batch.

        Raises:
            LeaseHeldError: Another run is at it.
            LeaseLostError: This run was cut off from the database.
            UnavailableError: The database does not answer.
        """
        lease = MongoLease(self._database, _LEASE, holder)
        # An index over a big collection takes longer than the usual 5 s.
        with pymongo.timeout(None), map_mongo_errors():
            await lease.run(lambda: self._apply(report))
        return await self.status()

    async def _apply(self, report: Report) -> None:
        status = await self.status()
        if status.missing_indexes:
            await self._create_indexes(report)
        for migration in self._migrations:
            if migration.migration_id in status.pending:
                await self._migrate(migration, report)

    async def _create_indexes(self, report: Report) -> None:
        for made, (collection, models) in enumerate(self._indexes.items(), start=1):
            await self._database[collection].create_indexes(list(models))
            report(_INDEXES, made, len(self._indexes))
        specs = list(_specs(self._indexes).values())
        await self._records.update_one(
            {"_id": _INDEXES},
            {
                "$addToSet": {"specs": {"$each": specs}},
                "$set": {"applied_at": self._clock.now()},
            },
            upsert=True,
        )

    async def _migrate(self, migration: Migration, report: Report) -> None:
        _id = {"_id": migration.migration_id}
        record = await self._records.find_one(_id) or {}
        walked = self._database[migration.collection]
        total = await walked.estimated_document_count()
        cursor, changed = record.get("cursor", ""), record.get("changed", 0)
        while cursor is not None:
            step: Step = await migration.step(self._database, cursor)
            cursor, changed = step.cursor, changed + step.changed
            state: dict[str, Any] = {"cursor": cursor, "changed": changed}
            if cursor is None:
                state["applied_at"] = self._clock.now()
            await self._records.update_one(_id, {"$set": state}, upsert=True)
            report(migration.migration_id, changed, total)


def _specs(indexes: Mapping[str, Sequence[IndexModel]]) -> dict[str, str]:
    """Return ``collection.name`` of each index with what tells it from another."""
    found = {}
    for collection, models in indexes.items():
        for model in models:
            name = f"{collection}.{model.document['name']}"
            text = bson.json_util.dumps(model.document, sort_keys=True)
            found[name] = f"{name}:{sha256(text.encode()).hexdigest()[:16]}"
    return found
