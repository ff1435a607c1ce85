"""``dlq list|show|replay|drop``: look at dead letters, and let them go again.

The same for the queue ``unroutable``, where events rest whose type nobody took.
"""

import json
import sys
import time
from argparse import Namespace
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import aio_pika
import msgspec
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from libs.events.envelope import CONTENT_TYPE
from libs.events.event import exchange_of
from libs.events.names import UNROUTABLE, direct_exchange
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
            print("name a queue, for example notification.message-sent, or unroutable")  # noqa: T201 - a command line
            return 2
        async with connection.channel() as channel:
            return await _walk(channel, arguments)


async def _list(connection: Any, settings: AdminSettings) -> int:  # noqa: ANN401 - aio_pika
    management = Management(settings.management_url, virtual_host_of(settings.amqp_url))
    names = [queue["name"] for queue in await management.list("queues")]
    async with connection.channel() as channel:
        for name in sorted(names):
            if not name.endswith(_SUFFIX) and name != UNROUTABLE:
                continue
            queue = await channel.declare_queue(name, passive=True)
            print(f"{queue.declaration_result.message_count:8}  {name}")  # noqa: T201 - a command line
    return 0


async def _walk(channel: AbstractChannel, arguments: Namespace) -> int:
    """Apply the action to each dead letter that fits the filters.

    Those that do not fit stay unacknowledged until the channel closes: the broker
    puts them back. The `x-attempt` of what is replayed begins anew.
    """
    source = _source(arguments.queue)
    count, events = 0, Counter[str]()
    async for message in _matching(channel, source, arguments):
        count += 1
        events[message.type or "undecodable"] += _count(message)
        if arguments.action == "show":
            print(json.dumps(_summary(message, has_body=arguments.body)))  # noqa: T201 - a command line
        elif not arguments.dry_run:
            if arguments.action == "replay":
                await _replay(channel, source, message)
            await message.ack()
        if count % _PROGRESS_EVERY == 0:
            print(f"{count} so far", file=sys.stderr)  # noqa: T201 - a command line
    would = "would " if arguments.dry_run else ""
    print(f"{would}{arguments.action}: {count} of {source}")  # noqa: T201 - a command line
    for event_type, number in sorted(events.items()):
        print(f"{number:8}  {event_type}")  # noqa: T201 - a command line
    return 0


def _source(queue: str) -> str:
    return queue if queue == UNROUTABLE else queue.removesuffix(_SUFFIX) + _SUFFIX


def _count(message: AbstractIncomingMessage) -> int:
    """Return how many events a frame carries; one where it does not tell."""
    told = message.headers.get("x-count")
    return told if isinstance(told, int) else 1


async def _matching(
    channel: AbstractChannel, name: str, arguments: Namespace
) -> AsyncIterator[AbstractIncomingMessage]:
    source = await channel.declare_queue(name, passive=True)
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
    channel: AbstractChannel, source: str, message: AbstractIncomingMessage
) -> None:
    """Publish again, confirmed, as a first attempt.

    A dead letter goes to its own queue; what was unroutable to whoever takes its type
    by now. The body is as it was: event id, correlation and trace are the old ones.
    """
    exchange_name, routing_key = _target(source, message)
    exchange = await channel.get_exchange(exchange_name, ensure=False)
    await exchange.publish(
        aio_pika.Message(
            message.body,
            content_type=CONTENT_TYPE,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            message_id=new_id(),
            type=message.type,
            headers={"x-attempt": 1, "x-replayed": 1, "x-count": _count(message)},
        ),
        routing_key=routing_key,
        mandatory=True,
        timeout=10,
    )


def _target(source: str, message: AbstractIncomingMessage) -> tuple[str, str]:
    if source == UNROUTABLE:
        event_type = message.type or ""
        return exchange_of(event_type), event_type
    queue = source.removesuffix(_SUFFIX)
    return direct_exchange(queue.partition(".")[0]), queue
