"""A lease in MongoDB: one holder, until it ends or the holder renews it."""

from datetime import timedelta
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from libs.kernel import Clock


class MongoLease:
    """The `Lease` on the collection ``leases``.

    Args:
        database: The service's own.
        holder: Name of this process.
        clock: Clocks of the processes may differ by less than the duration.
    """

    def __init__(
        self, database: AsyncDatabase[dict[str, Any]], *, holder: str, clock: Clock
    ) -> None:
        self._leases = database["media_leases"]
        self._holder = holder
        self._clock = clock

    async def acquire(self, name: str, *, duration: timedelta) -> bool:
        """Take or renew it; False while another process holds it."""
        now = self._clock.now()
        free = [{"holder": self._holder}, {"expires_at": {"$lt": now}}]
        try:
            await self._leases.update_one(
                {"_id": name, "$or": free},
                {"$set": {"holder": self._holder, "expires_at": now + duration}},
                upsert=True,
            )
        except DuplicateKeyError:
            return False
        return True
