"""Leases on partitions in MongoDB: one collection, the server's clock.

A document is ``process:<id>`` with an address, or ``partition:<number>`` with owner and
epoch, which grows with every owner; both hold until their ``until``. The documents of
partitions are made by the first who wants them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from libs.chassis.mongo import map_mongo_errors
from services.chat.ports.partitions import LeaseTable, Peer
from services.chat.repository.documents import Document

_PROCESS = "process:"
_PARTITION = "partition:"
_COLLECTION = "writer_leases"
_SAFE = {"w": "majority"}
_IS_FREE: Document = {"$not": [{"$gt": ["$until", "$$NOW"]}]}


class MongoPartitionStore:
    """Implements `PartitionStore`."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._leases = database[_COLLECTION]

    async def beat(self, me: Peer, ttl_seconds: float) -> LeaseTable:
        """Say that a process lives, renew its leases, return everybody's."""
        change = {"address": me.address, "until": _until(ttl_seconds)}
        with map_mongo_errors():
            await self._write(
                {
                    "q": {"_id": _PROCESS + me.process_id},
                    "u": [{"$set": change}],
                    "upsert": True,
                },
                {
                    "q": {"owner": me.process_id},
                    "u": [{"$set": {"until": _until(ttl_seconds)}}],
                    "multi": True,
                },
            )
        return await self._read()

    async def acquire(
        self, partitions: Sequence[int], me: Peer, ttl_seconds: float
    ) -> LeaseTable:
        """Take those of the partitions that nobody holds."""
        taken = {
            "owner": me.process_id,
            "epoch": {"$add": [{"$ifNull": ["$epoch", 0]}, 1]},
            "until": _until(ttl_seconds),
        }
        kept = {name: f"${name}" for name in taken}
        # Conditions in the change, not in the query: an upsert whose query did not
        # fit would try to make the document a second time.
        change = {
            name: {"$cond": [_IS_FREE, value, kept[name]]}
            for name, value in taken.items()
        }
        with map_mongo_errors():
            await self._write(
                *(
                    {
                        "q": {"_id": f"{_PARTITION}{partition}"},
                        "u": [{"$set": change}],
                        "upsert": True,
                    }
                    for partition in partitions
                )
            )
        return await self._read()

    async def hand_over(
        self, receivers: Mapping[int, str], me: Peer, ttl_seconds: float
    ) -> None:
        """Give own partitions to other processes."""
        with map_mongo_errors():
            await self._write(
                *(
                    {
                        "q": {
                            "_id": f"{_PARTITION}{partition}",
                            "owner": me.process_id,
                        },
                        "u": [
                            {
                                "$set": {
                                    "owner": receiver,
                                    "epoch": {"$add": ["$epoch", 1]},
                                    "until": _until(ttl_seconds),
                                }
                            }
                        ],
                    }
                    for partition, receiver in receivers.items()
                )
            )

    async def leave(self, me: Peer) -> None:
        """Release everything and end the heartbeat."""
        with map_mongo_errors():
            await self._write(
                {
                    "q": {"owner": me.process_id},
                    "u": [{"$set": {"owner": "", "until": "$$NOW"}}],
                    "multi": True,
                }
            )
            await self._leases.delete_one({"_id": _PROCESS + me.process_id})

    async def _write(self, *updates: Document) -> None:
        await self._leases.database.command(
            "update",
            self._leases.name,
            updates=list(updates),
            ordered=False,
            writeConcern=_SAFE,
        )

    async def _read(self) -> LeaseTable:
        query = {"$expr": {"$gt": ["$until", "$$NOW"]}}
        with map_mongo_errors():
            found = await self._leases.find(query).to_list()
        peers, owners = {}, {}
        for document in found:
            kind, _, name = document["_id"].partition(":")
            if kind == "process":
                peers[name] = Peer(name, document["address"])
            elif document["owner"]:
                owners[int(name)] = document["owner"]
        return LeaseTable(peers, owners)


def _until(ttl_seconds: float) -> Document:
    return {"$add": ["$$NOW", int(ttl_seconds * 1000)]}
