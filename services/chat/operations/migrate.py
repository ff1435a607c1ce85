"""``migrate status|apply``: the database as this version needs it."""

from argparse import Namespace
from dataclasses import asdict

from libs.chassis.mongo import open_mongo
from libs.chassis.progress import Progress, show
from libs.kernel import SystemClock, new_id
from services.chat.repository.schema import Schema
from services.chat.settings import ChatSettings


async def run(arguments: Namespace, settings: ChatSettings) -> int:
    """Show or apply; 1 where something is pending afterwards."""
    clock = SystemClock()
    async with open_mongo(settings) as database:
        schema = Schema(database, clock)
        if arguments.action == "apply":
            holder = f"{settings.instance_id}:{new_id()}"
            status = await schema.apply(holder, Progress(clock))
        else:
            status = await schema.status()
    show({**asdict(status), "is_current": status.is_current})
    return 0 if status.is_current else 1
