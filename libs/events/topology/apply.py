"""Declare a topology, as administrator; again and again without harm."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlsplit

import aio_pika
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelPreconditionFailed

from libs.events.names import UNROUTABLE
from libs.events.settings import AdminSettings
from libs.events.topology.management import Management, ManagementError
from libs.events.topology.model import (
    Binding,
    Permission,
    Policy,
    Queue,
    Topology,
)

_CHANNELS = 16  # a quorum queue takes tens of milliseconds to declare
_SECONDS = 60


class TopologyError(Exception):
    """The broker has something of that name that is not what the code says."""


def virtual_host_of(amqp_url: str) -> str:
    """Return the virtual host that an AMQP URL names, ``/`` by default."""
    return unquote(urlsplit(amqp_url).path[1:]) or "/"


async def apply_topology(
    topology: Topology, settings: AdminSettings, *, user_prefix: str = ""
) -> list[str]:
    """Declare everything, remove bindings that are no longer subscribed to.

    Args:
        topology: From `build_topology`.
        settings: The administrator's account.
        user_prefix: Before a service's name in the name of its account.

    Returns:
        Users that do not exist yet, so have no rights.

    Raises:
        TopologyError: A queue or exchange exists with other arguments.
        ManagementError: The management API refused or does not answer.
        aio_pika.exceptions.AMQPError: The broker refused or does not answer.
    """
    management = Management(settings.management_url, virtual_host_of(settings.amqp_url))
    async with asyncio.timeout(_SECONDS):
        queues, bindings = await asyncio.gather(
            management.list("queues"), management.list("bindings")
        )
        connection = await aio_pika.connect(settings.amqp_url)
        async with connection:
            _, missing, _ = await asyncio.gather(
                _declare(connection, without_existing(topology, queues, bindings)),
                _configure(management, topology, user_prefix),
                _remove_stale_bindings(management, topology, bindings),
            )
    return missing


def without_existing(
    topology: Topology,
    queues: Sequence[Mapping[str, Any]],
    bindings: Sequence[Mapping[str, Any]],
) -> Topology:
    """Leave out queues and bindings that the broker has just so.

    What it has with other arguments stays in, so that declaring it is refused.
    """
    known = {queue["name"]: queue["arguments"] for queue in queues}
    bound = {Binding(b["source"], b["destination"], b["routing_key"]) for b in bindings}
    return replace(
        topology,
        queues=tuple(q for q in topology.queues if known.get(q.name) != q.arguments),
        bindings=tuple(b for b in topology.bindings if b not in bound),
    )


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


async def _configure(
    management: Management, topology: Topology, user_prefix: str
) -> list[str]:
    """Put policies and rights; returns the users that do not exist."""
    policies = (_put_policy(management, policy) for policy in topology.policies)
    rights = (
        _permit(management, user_prefix + right.user, right)
        for right in topology.permissions
    )
    await asyncio.gather(*policies)
    was_given = await asyncio.gather(*rights)
    return [
        right.user
        for right, is_given in zip(topology.permissions, was_given, strict=True)
        if not is_given
    ]


async def _put_policy(management: Management, policy: Policy) -> None:
    body = {
        "pattern": policy.pattern,
        "definition": dict(policy.definition),
        "priority": policy.priority,
        "apply-to": "queues",
    }
    await management.put("policies", policy.name, body)


async def _permit(management: Management, user: str, right: Permission) -> bool:
    """Give a user its rights; False if there is no such user."""
    body = {"configure": right.configure, "write": right.write, "read": right.read}
    try:
        await management.put("permissions", user, body)
    except ManagementError as err:
        if err.status not in (400, 404):
            raise
        return False
    return True


async def _remove_stale_bindings(
    management: Management, topology: Topology, bindings: Sequence[Mapping[str, Any]]
) -> None:
    wanted = set(topology.bindings)
    queues = {queue.name for queue in topology.queues} - {UNROUTABLE}
    stale = [
        dict(found)
        for found in bindings
        if found["destination"] in queues
        and found["source"].endswith((".events", ".direct"))
        and Binding(found["source"], found["destination"], found["routing_key"])
        not in wanted
    ]
    await asyncio.gather(*(management.unbind(binding) for binding in stale))
