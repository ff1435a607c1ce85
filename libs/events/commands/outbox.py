"""``outbox status|requeue``: the backlog of one service, and its parked events."""

from argparse import Namespace

from pymongo import AsyncMongoClient

from libs.events.outbox.store import OutboxStore
from libs.events.settings import AdminSettings
from libs.events.timing import id_age_seconds


async def run(arguments: Namespace, settings: AdminSettings) -> int:
    """Run the command on the database that the MongoDB URL names."""
    url = arguments.mongo_url or settings.mongo_url
    async with AsyncMongoClient[dict[str, object]](url, tz_aware=True) as client:
        store = OutboxStore(client.get_default_database(), "command-line")
        if arguments.action == "requeue":
            if arguments.dry_run:
                _, parked = await store.blocked_keys()
                print(f"would requeue; parked keys: {parked}")  # noqa: T201 - a command line
                return 0
            count = await store.requeue(event_type=arguments.type or None)
            print(f"requeued {count}")  # noqa: T201 - a command line
            return 0
        await _status(store)
    return 0


async def _status(store: OutboxStore) -> None:
    oldest = await store.oldest_id()
    waiting, parked = await store.blocked_keys()
    age = id_age_seconds(oldest) if oldest else 0.0
    print(f"rows {await store.count()}")  # noqa: T201 - a command line
    print(f"oldest_seconds {age:.1f}")  # noqa: T201 - a command line
    print(f"blocked_keys {len(waiting)}")  # noqa: T201 - a command line
    print(f"parked_keys {parked}")  # noqa: T201 - a command line
