"""A database that tests have one after the other."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase


@asynccontextmanager
async def emptied_database(
    url: str, name: str
) -> AsyncIterator[AsyncDatabase[dict[str, Any]]]:
    """Yield a database without a document; indexes of the test before are kept.

    To make one with its indexes, and to drop it, takes up to half a second.

    Args:
        url: MongoDB's administrator.
        name: Of the database; whoever shares it makes the same indexes.
    """
    client: AsyncMongoClient[dict[str, Any]]
    async with AsyncMongoClient(url, tz_aware=True) as client:
        database = client[name]
        for collection in await database.list_collection_names():
            await database[collection].delete_many({})
        yield database
