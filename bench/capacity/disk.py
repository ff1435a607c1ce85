"""What collections take of MongoDB's disk, after everything has been written out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pymongo import AsyncMongoClient


@dataclass(frozen=True)
class Taken:
    """What one collection takes, in bytes; `stored` and `indexes` are on the disk."""

    documents: int
    plain: int
    stored: int
    indexes: int

    @property
    def on_disk(self) -> int:
        """Documents and indexes together."""
        return self.stored + self.indexes


class Disk:
    """One database, and what the server writes.

    Args:
        client: As administrator.
        name: Of the database.
    """

    def __init__(self, client: AsyncMongoClient[dict[str, Any]], name: str) -> None:
        self._client = client
        self._database = client[name]

    async def taken(self) -> dict[str, Taken]:
        """Return what each collection takes once a checkpoint has been made."""
        await self._client.admin.command("fsync")
        names = await self._database.list_collection_names()
        found = {}
        for name in sorted(names):
            stats = await self._database.command("collStats", name)
            found[name] = Taken(
                stats["count"],
                stats["size"],
                stats["storageSize"],
                stats["totalIndexSize"],
            )
        return found

    async def written(self) -> int:
        """Return the bytes that the server has written: blocks and journal."""
        status = await self._client.admin.command("serverStatus")
        engine = status["wiredTiger"]
        blocks = engine["block-manager"]["bytes written"]
        return int(blocks + engine["log"]["log bytes written"])


def grown(
    before: Mapping[str, Taken], after: Mapping[str, Taken], count: int
) -> dict[str, float]:
    """Return the bytes on disk that each collection grew by, for one of `count`."""
    nothing = Taken(0, 0, 0, 0)
    return {
        name: (taken.on_disk - before.get(name, nothing).on_disk) / count
        for name, taken in after.items()
    }
