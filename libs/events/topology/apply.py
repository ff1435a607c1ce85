"""Declare a topology, as administrator; again and again without harm."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from urllib.parse import unquote, urlsplit

import aio_pika
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelPreconditionFailed

from libs.events.names import UNROUTABLE
from libs.events.settings import AdminSettings
from libs.events.topology.management import Management, ManagementError
from libs.events.topology.model import Queue, Topology

_CHANNELS = 8  # a quorum queue takes tens of milliseconds to declare
_SECONDS = 60


class TopologyError(Exception):
    """The broker has something of that name that is not what the code says."""


def virtual_host_of(amqp_url: str) -> str:
    """Return the virtual host that an AMQP URL names, ``/`` by default."""
    return unquote(urlsplit(amqp_url).path[1:]) or "/"


async def apply_topology(topology: Topology, settings: AdminSettings) -> list[str]:
    """Declare everything, remove bindings that are no longer subscribed to.

    Returns:
        Users that do not exist yet, so have no rights.

    Raises:
        TopologyError: A queue or exchange exists with other arguments.
        ManagementError: The management API refused or does not answer.
        aio_pika.exceptions.AMQPError: The broker refused or does not answer.
    """
    management = Management(settings.management_url, virtual_host_of(settings.amqp_url))
    async with asyncio.timeout(_SECONDS):
        connection = await aio_pika.connect(settings.amqp_url)
        async with connection:
            _, missing = await asyncio.gather(
                _declare(connection, topology), _configure(management, topology)
            )
        await _remove_stale_bindings(management, topology)
    return missing


async def _declare(connection: Any, topology: Topology) -> None:  # noqa: ANN401 - aio_pika
    """Declare exchanges, then queues, dead letters first, then bindings."""

    async def exchange(channel: AbstractChannel, item: Any) -> None:  # noqa: ANN401 - Exchange
        await channel.declare_exchange(
            item.name, item.kind, durable=True, arguments=dict(item.arguments)
        )

    async def queue(channel: AbstractChannel, item: Any) -> None:  # noqa: ANN401 - Queue
        await channel.declare_queue(
            item.name, durable=True, arguments=dict(item.arguments)
        )

    async def bind(channel: AbstractChannel, item: Any) -> None:  # noqa: ANN401 - Binding
        target = await channel.get_queue(item.queue, ensure=False)
        await target.bind(item.exchange, item.routing_key)

    last = [q for q in topology.queues if not _is_kept(q)]
    await _spread(connection, topology.exchanges, exchange)
    await _spread(connection, [q for q in topology.queues if _is_kept(q)], queue)
    await _spread(connection, last, queue)
    await _spread(connection, topology.bindings, bind)


def _is_kept(queue: Queue) -> bool:
    return queue.name.endswith(".dlq")


async def _spread(
    connection: Any,  # noqa: ANN401 - aio_pika's connection
    items: Iterable[Any],
    declare: Callable[[AbstractChannel, Any], Awaitable[None]],
) -> None:
    """Declare items over a few channels at once."""
    waiting = list(items)

    async def run() -> None:
        if not waiting:
            return
        async with connection.channel() as channel:
            while waiting:
                item = waiting.pop()
                try:
                    await declare(channel, item)
                except ChannelPreconditionFailed as err:
                    raise TopologyError(str(err)) from err

    await asyncio.gather(*(run() for _ in range(_CHANNELS)))


async def _configure(management: Management, topology: Topology) -> list[str]:
    """Put policies and rights; returns the users that do not exist."""
    missing: list[str] = []

    async def permit(user: str, rights: dict[str, str]) -> None:
        try:
            await management.put("permissions", user, rights)
        except ManagementError as err:
            if err.status not in (400, 404):
                raise
            missing.append(user)

    await asyncio.gather(
        *(
            management.put(
                "policies",
                policy.name,
                {
                    "pattern": policy.pattern,
                    "definition": dict(policy.definition),
                    "priority": policy.priority,
                    "apply-to": "queues",
                },
            )
            for policy in topology.policies
        ),
        *(
            permit(
                right.user,
                {
                    "configure": right.configure,
                    "write": right.write,
                    "read": right.read,
                },
            )
            for right in topology.permissions
        ),
    )
    return sorted(missing)


async def _remove_stale_bindings(management: Management, topology: Topology) -> None:
    wanted = {(b.exchange, b.queue, b.routing_key) for b in topology.bindings}
    queues = {queue.name for queue in topology.queues} - {UNROUTABLE}
    stale = [
        found
        for found in await management.list("bindings")
        if found["destination"] in queues
        and found["source"].endswith((".events", ".direct"))
        and (found["source"], found["destination"], found["routing_key"]) not in wanted
    ]
    await asyncio.gather(*(management.unbind(binding) for binding in stale))
