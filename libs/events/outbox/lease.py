"""Who sweeps, and who lives: documents with an end, by the server's clock."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

_FORGET_AFTER_SECONDS = 3600


class Lease:
    """One document that one process holds at a time, on the server's clock.

    Attributes:
        epoch: Grows by one with every new holder; 0 until held.
    """

    def __init__(
        self, database: AsyncDatabase[dict[str, Any]], holder: str, ttl: timedelta
    ) -> None:
        self._leases = database["outbox_lease"]
        self._holder = holder
        self._ttl_ms = int(ttl.total_seconds() * 1000)
        self._renewed_at = float("-inf")
        self.epoch = 0

    @property
    def is_held(self) -> bool:
        """Whether it was renewed within half of its time: safe to act on."""
        return (time.monotonic() - self._renewed_at) * 2000 < self._ttl_ms

    async def ensure_indexes(self) -> None:
        """Make the lease, and let heartbeats of long gone processes expire."""
        await self._leases.create_index(
            "seen", expireAfterSeconds=_FORGET_AFTER_SECONDS
        )
        nobody = {"owner": "", "epoch": 0, "until": datetime.fromtimestamp(0, UTC)}
        await self._leases.update_one(
            {"_id": "sweeper"}, {"$setOnInsert": nobody}, upsert=True
        )

    async def beat(self) -> None:
        """Say that this process lives, for the lease's time from now."""
        change = {"seen": "$$NOW", "until": {"$add": ["$$NOW", self._ttl_ms]}}
        await self._leases.update_one(
            {"_id": f"relay:{self._holder}"}, [{"$set": change}], upsert=True
        )

    async def living(self) -> set[str]:
        """Return the relay ids with a heartbeat that has not run out."""
        query = {"_id": {"$regex": "^relay:"}, "$expr": {"$gt": ["$until", "$$NOW"]}}
        found = self._leases.find(query, {"_id": 1})
        return {str(document["_id"])[6:] async for document in found}

    async def acquire(self) -> bool:
        """Take the sweeper's lease, or renew it; False while another holds it."""
        started = time.monotonic()
        is_mine = {"$eq": ["$owner", self._holder]}
        is_free = {"$not": [{"$gt": ["$until", "$$NOW"]}]}
        change = {
            "epoch": {"$cond": [is_mine, "$epoch", {"$add": ["$epoch", 1]}]},
            "owner": self._holder,
            "until": {"$add": ["$$NOW", self._ttl_ms]},
        }
        document = await self._leases.find_one_and_update(
            {"_id": "sweeper", "$expr": {"$or": [is_mine, is_free]}},
            [{"$set": change}],
            return_document=True,
        )
        if document is None:
            return False
        self._renewed_at = started
        self.epoch = int(document["epoch"])
        return True

    async def release(self) -> None:
        """Give up heartbeat and lease: what is left may be swept at once."""
        await self._leases.delete_one({"_id": f"relay:{self._holder}"})
        await self._leases.update_one(
            {"_id": "sweeper", "owner": self._holder}, [{"$set": {"until": "$$NOW"}}]
        )
        self._renewed_at = float("-inf")
