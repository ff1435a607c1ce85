"""``outbox status|requeue``: the backlog of one service, and its parked events."""

import json
from argparse import Namespace

from pymongo import AsyncMongoClient

from libs.events.outbox.store import OutboxStore, Refused
from libs.events.settings import AdminSettings
from libs.events.timing import id_age_seconds


async def run(arguments: Namespace, settings: AdminSettings) -> int:
    """Run the command on the database that the MongoDB URL names."""
    url = arguments.mongo_url or settings.mongo_url
    refused = Refused(
        event_type=arguments.type,
        reason=arguments.reason,
        event_id=arguments.event_id,
        older_than=arguments.older_than,
        limit=arguments.limit,
    )
    async with AsyncMongoClient[dict[str, object]](url, tz_aware=True) as client:
        store = OutboxStore(client.get_default_database(), "command-line")
        if arguments.action == "requeue":
            return await _requeue(store, refused, is_dry=arguments.dry_run)
        await _status(store, refused)
    return 0


async def _requeue(store: OutboxStore, refused: Refused, *, is_dry: bool) -> int:
    ids = [str(document["_id"]) for document in await store.refused(refused)]
    if is_dry:
        print(f"would requeue {len(ids)}: {ids}")  # noqa: T201 - a command line
        return 0
    print(f"requeued {await store.requeue(ids)}")  # noqa: T201 - a command line
    return 0


async def _status(store: OutboxStore, refused: Refused) -> None:
    oldest = await store.oldest_id()
    waiting, parked = await store.blocked_keys()
    age = id_age_seconds(oldest) if oldest else 0.0
    print(f"rows {await store.count()}")  # noqa: T201 - a command line
    print(f"oldest_seconds {age:.1f}")  # noqa: T201 - a command line
    print(f"blocked_keys {len(waiting)}")  # noqa: T201 - a command line
    print(f"parked_keys {parked}")  # noqa: T201 - a command line
    for document in await store.refused(refused):
        line = {
            "event_id": document["_id"],
            "type": document["t"],
            "key": document["k"],
            "attempts": document.get("a", 0),
            "error": document.get("e", ""),
            "age_seconds": round(id_age_seconds(str(document["_id"])), 1),
        }
        print(json.dumps(line))  # noqa: T201 - a command line
