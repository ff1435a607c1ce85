"""``dlq list|show|replay|drop``: look at dead letters, and let them go again."""

import json
import sys
import time
from argparse import Namespace
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import aio_pika
import msgspec
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from libs.events.envelope import CONTENT_TYPE
from libs.events.names import direct_exchange
from libs.events.settings import AdminSettings
from libs.events.topology.apply import virtual_host_of
from libs.events.topology.management import Management
from libs.kernel import new_id

_SUFFIX = ".dlq"
_PROGRESS_EVERY = 100


async def run(arguments: Namespace, settings: AdminSettings) -> int:
    """Run the command; returns the exit code."""
    connection = await aio_pika.connect(settings.amqp_url)
    async with connection:
        if arguments.action == "list":
            return await _list(connection, settings)
        if not arguments.queue:
            print("name a queue, for example notification.message-sent")  # noqa: T201 - a command line
            return 2
        async with connection.channel() as channel:
            return await _walk(channel, arguments)


async def _list(connection: Any, settings: AdminSettings) -> int:  # noqa: ANN401 - aio_pika
    management = Management(settings.management_url, virtual_host_of(settings.amqp_url))
    names = [queue["name"] for queue in await management.list("queues")]
    async with connection.channel() as channel:
        for name in sorted(name for name in names if name.endswith(_SUFFIX)):
            queue = await channel.declare_queue(name, passive=True)
            print(f"{queue.declaration_result.message_count:8}  {name}")  # noqa: T201 - a command line
    return 0


async def _walk(channel: AbstractChannel, arguments: Namespace) -> int:
    """Apply the action to each dead letter that fits the filters.

    Those that do not fit stay unacknowledged until the channel closes: the broker
    puts them back. The `x-attempt` of what is replayed begins anew.
    """
    queue = arguments.queue.removesuffix(_SUFFIX)
    count = 0
    async for message in _matching(channel, queue, arguments):
        count += 1
        if arguments.action == "show":
            print(json.dumps(_summary(message, has_body=arguments.body)))  # noqa: T201 - a command line
        elif not arguments.dry_run:
            if arguments.action == "replay":
                await _replay(channel, queue, message)
            await message.ack()
        if count % _PROGRESS_EVERY == 0:
            print(f"{count} so far", file=sys.stderr)  # noqa: T201 - a command line
    would = "would " if arguments.dry_run else ""
    print(f"{would}{arguments.action}: {count} of {queue}{_SUFFIX}")  # noqa: T201 - a command line
    return 0


async def _matching(
    channel: AbstractChannel, queue: str, arguments: Namespace
) -> AsyncIterator[AbstractIncomingMessage]:
    source = await channel.declare_queue(f"{queue}{_SUFFIX}", passive=True)
    found = 0
    for _ in range(source.declaration_result.message_count or 0):
        message = await source.get(fail=False)
        if message is None or found == arguments.limit:
            return
        if _fits(message, arguments):
            found += 1
            yield message


def _fits(message: AbstractIncomingMessage, arguments: Namespace) -> bool:
    headers: Mapping[str, Any] = message.headers
    if arguments.older_than and not _is_older(headers, arguments.older_than):
        return False
    if arguments.type and message.type != arguments.type:
        return False
    if arguments.reason and headers.get("x-reason") != arguments.reason:
        return False
    return not arguments.event_id or arguments.event_id in _event_ids(message)


def _is_older(headers: Mapping[str, Any], age: timedelta) -> bool:
    """Tell whether it died so long ago; one without a time did not."""
    try:
        died_at = datetime.fromisoformat(str(headers["x-died-at"]))
    except (KeyError, ValueError):
        return False
    return died_at.timestamp() < time.time() - age.total_seconds()


def _summary(message: AbstractIncomingMessage, *, has_body: bool) -> dict[str, Any]:
    summary = {
        "event_ids": _event_ids(message),
        "type": message.type,
        **{
            name: value if isinstance(value, str | int) else str(value)
            for name, value in message.headers.items()
            if name != "x-death"
        },
    }
    if has_body:
        summary["body"] = message.body.decode(errors="replace")
    return summary


def _event_ids(message: AbstractIncomingMessage) -> list[str]:
    try:
        events = msgspec.json.decode(message.body)
        return [str(event["id"]) for event in events]
    except (msgspec.DecodeError, TypeError, KeyError, UnicodeDecodeError):
        return []


async def _replay(
    channel: AbstractChannel, queue: str, message: AbstractIncomingMessage
) -> None:
    """Publish to the queue again, confirmed, as a first attempt.

    The body is as it was: event id, correlation and trace are the old ones.
    """
    exchange = await channel.get_exchange(
        direct_exchange(queue.partition(".")[0]), ensure=False
    )
    await exchange.publish(
        aio_pika.Message(
            message.body,
            content_type=CONTENT_TYPE,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            message_id=new_id(),
            type=message.type,
            headers={"x-attempt": 1, "x-replayed": 1},
        ),
        routing_key=queue,
        mandatory=True,
        timeout=10,
    )
