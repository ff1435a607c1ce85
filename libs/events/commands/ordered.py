"""``ordered list|release``: keys of ordered subscriptions that are blocked."""

import json
from argparse import Namespace

from pymongo import AsyncMongoClient

from libs.events.order_book import ParkedKeys
from libs.events.settings import AdminSettings


async def run(arguments: Namespace, settings: AdminSettings) -> int:
    """Run the command on the database that the MongoDB URL names."""
    url = arguments.mongo_url or settings.mongo_url
    async with AsyncMongoClient[dict[str, object]](url, tz_aware=True) as client:
        keys = ParkedKeys(client.get_default_database())
        found = [
            line
            for line in await keys.list(arguments.subscription)
            if arguments.key in ("", line["key"])
        ]
        for line in found:
            print(json.dumps(line))  # noqa: T201 - a command line
            if arguments.action == "release" and not arguments.dry_run:
                await keys.release(line["subscription"], line["key"])
    would = "would " if arguments.dry_run else ""
    print(f"{would}{arguments.action}: {len(found)} keys")  # noqa: T201 - a command line
    return 0
