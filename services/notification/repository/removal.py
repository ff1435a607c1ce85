"""Removing some of many documents at a time."""

from typing import Any

from pymongo.asynchronous.collection import AsyncCollection

from libs.chassis.mongo import map_mongo_errors

Collection = AsyncCollection[dict[str, Any]]


async def remove_some(collection: Collection, query: dict[str, Any], limit: int) -> int:
    """Remove at most so many documents that a query finds; return how many."""
    with map_mongo_errors():
        found = await collection.find(query, {"_id": True}).limit(limit).to_list()
        ids = [document["_id"] for document in found]
        if not ids:
            return 0
        result = await collection.delete_many({"_id": {"$in": ids}})
    # A row that somebody else removed meanwhile is none to wait for.
    return max(result.deleted_count, 1)
