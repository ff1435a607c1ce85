"""What a service's audit holds, and an audit that takes nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pymongo import AsyncMongoClient

from tests.support.stack import RunningStack


@asynccontextmanager
async def refusing_audit(stack: RunningStack, service: str) -> AsyncIterator[None]:
    """Have the database refuse every record of a service while the block runs."""
    async with AsyncMongoClient(stack.admin_mongo_url) as client:
        audit = client[f"parley_{service}_audit"]
        refuse_all = {"validator": {"action": "none"}, "validationAction": "error"}
        await audit.command("collMod", "records", **refuse_all)
        try:
            yield
        finally:
            await audit.command("collMod", "records", validator={})


async def audit_records(
    stack: RunningStack, service: str, **query: Any
) -> list[dict[str, Any]]:
    """Return a service's records that fit a query, the oldest first."""
    async with AsyncMongoClient(stack.admin_mongo_url) as client:
        found = client[f"parley_{service}_audit"]["records"].find(query)
        return await found.sort("_id", 1).to_list()
