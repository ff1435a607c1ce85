"""Who does a work that one process does at a time, on the server's clock."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from pymongo import ReturnDocument
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from libs.chassis.mongo import map_mongo_errors
from libs.kernel import ConflictError, UnavailableError, end_tasks

T = TypeVar("T")
_LONG_AGO = datetime.fromtimestamp(0, UTC)
LEASE_TTL = timedelta(seconds=30)


class LeaseHeldError(ConflictError):
    """Another process does this work now."""

    def __init__(self, name: str) -> None:
        super().__init__("lease_held", "Another process does this now.", lease=name)


class LeaseLostError(ConflictError):
    """The lease ran out before the work was done; what was done stays done."""

    def __init__(self, name: str) -> None:
        super().__init__("lease_lost", "The lease ran out.", lease=name)


class MongoLease:
    """A document that one holder has at a time.

    Args:
        database: The service's; the document stands in ``leases``.
        name: Of the work.
        holder: Unique a process.
        ttl: How long a silent holder keeps it.

    Attributes:
        epoch: Grows by one with every new holder; 0 until held.
    """

    def __init__(
        self,
        database: AsyncDatabase[dict[str, Any]],
        name: str,
        holder: str,
        *,
        ttl: timedelta = LEASE_TTL,
    ) -> None:
        self._leases = database["leases"]
        self._name = name
        self._holder = holder
        self._ttl = ttl
        self._renewed_at = float("-inf")
        self.epoch = 0

    @property
    def is_held(self) -> bool:
        """Whether it was renewed within half of its time: safe to act on."""
        age_seconds = time.monotonic() - self._renewed_at
        return age_seconds * 2 < self._ttl.total_seconds()

    async def acquire(self) -> bool:
        """Take the lease or renew it; False while another process has it."""
        with map_mongo_errors():
            if await self._taken():
                return True
            free = {"_id": self._name, "holder": "", "until": _LONG_AGO}
            with suppress(DuplicateKeyError):  # it is there, and another one's
                await self._leases.insert_one(free)
                return await self._taken()
            return False

    async def release(self) -> None:
        """Give it up; the next one need not wait."""
        with map_mongo_errors():
            await self._leases.update_one(
                {"_id": self._name, "holder": self._holder},
                [{"$set": {"until": "$$NOW"}}],
            )
        self._renewed_at = float("-inf")

    async def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Work while holding the lease.

        Returns:
            What the work returns.

        Raises:
            LeaseHeldError: Another process has it; the work did not begin.
            LeaseLostError: It could not be renewed in time; the work was cancelled.
        """
        if not await self.acquire():
            raise LeaseHeldError(self._name)
        working = asyncio.create_task(work())
        renewing = asyncio.create_task(self._renew())
        both = {working, renewing}
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            raise LeaseLostError(self._name)
        finally:
            await end_tasks(both)
            with suppress(UnavailableError):  # it runs out by itself
                await self.release()

    async def _taken(self) -> bool:
        started = time.monotonic()
        ttl_ms = int(self._ttl.total_seconds() * 1000)
        is_mine = {"$eq": ["$holder", self._holder]}
        is_free = {"$not": [{"$gt": ["$until", "$$NOW"]}]}
        before = {"$ifNull": ["$epoch", 0]}
        change = {
            "epoch": {"$cond": [is_mine, before, {"$add": [before, 1]}]},
            "holder": self._holder,
            "until": {"$add": ["$$NOW", ttl_ms]},
        }
        document = await self._leases.find_one_and_update(
            {"_id": self._name, "$expr": {"$or": [is_mine, is_free]}},
            [{"$set": change}],
            return_document=ReturnDocument.AFTER,
        )
        if document is None:
            return False
        self._renewed_at = started
        self.epoch = int(document["epoch"])
        return True

    async def _renew(self) -> None:
        """Return when the lease is lost."""
        loop = asyncio.get_running_loop()
        ttl_seconds = self._ttl.total_seconds()
        renewed_at = loop.time()
        while loop.time() - renewed_at < ttl_seconds:
            await asyncio.sleep(ttl_seconds / 5)
            tried_at = loop.time()
            with suppress(UnavailableError):  # an election: time for another try
                if not await self.acquire():
                    return
                renewed_at = tried_at
