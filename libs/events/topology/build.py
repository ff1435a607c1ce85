"""Derive the topology from workers (DESIGN section 3; ADR 0007)."""

import re
from collections.abc import Iterable, Sequence

from libs.events.bus import Subscription, Worker
from libs.events.event import Event, event_classes
from libs.events.names import (
    UNROUTABLE,
    bindings_of,
    dead_letter_queue,
    direct_exchange,
    queue_name,
    retry_queue,
    tier_seconds,
)
from libs.events.topology.model import (
    Argument,
    Binding,
    Exchange,
    Permission,
    Policy,
    Queue,
    Topology,
)

DELIVERY_LIMIT = 20
_NO_LIMIT = 1_000_000  # -1 drops messages on brokers before 4.0
_DAY_MS = 24 * 3600 * 1000


def build_topology(workers: Sequence[Worker]) -> Topology:
    """Return what the broker needs so that these workers can emit and consume."""
    exchanges = {exchange.name: exchange for exchange in _exchanges(workers)}
    queues: dict[str, Queue] = {UNROUTABLE: Queue(UNROUTABLE, _QUORUM)}
    bindings = {Binding(UNROUTABLE, UNROUTABLE, "")}
    for worker in workers:
        for subscription in worker.subscriptions:
            queues |= {q.name: q for q in _queues(worker.service, subscription)}
            bindings |= _bindings(worker.service, subscription)
    return Topology(
        exchanges=tuple(exchanges[name] for name in sorted(exchanges)),
        queues=tuple(queues[name] for name in sorted(queues)),
        bindings=tuple(sorted(bindings)),
        policies=_POLICIES,
        permissions=tuple(
            _permission(worker) for worker in sorted(workers, key=_service_of)
        ),
    )


_QUORUM: dict[str, Argument] = {"x-queue-type": "quorum"}

_POLICIES = (
    Policy(
        "events-work", r"^[a-z]+\.[a-z0-9-]+$", 1, {"delivery-limit": DELIVERY_LIMIT}
    ),
    Policy(
        "events-kept",
        r"^[a-z]+\.[a-z0-9-]+\.(dlq|retry\.[0-9]+[smh])$",
        2,
        {"delivery-limit": _NO_LIMIT},
    ),
    Policy(
        "events-unroutable",
        f"^{UNROUTABLE}$",
        3,
        {
            "max-length": 100_000,
            "message-ttl": 7 * _DAY_MS,
            "delivery-limit": _NO_LIMIT,
            "overflow": "drop-head",
        },
    ),
)


def _service_of(worker: Worker) -> str:
    return worker.service


def _exchanges(workers: Iterable[Worker]) -> Iterable[Exchange]:
    yield Exchange(UNROUTABLE, "fanout")
    events: list[type[Event]] = list(event_classes().values())
    for worker in workers:
        yield Exchange(direct_exchange(worker.service), "direct")
        events.extend(worker.emits)
        for durable in worker.subscriptions:
            events.extend(durable.events)
        for live in worker.live_subscriptions:
            events.extend(live.events)
    for name, _ in bindings_of(events):
        yield Exchange(name, "topic", {"alternate-exchange": UNROUTABLE})


def _queues(service: str, subscription: Subscription) -> Iterable[Queue]:
    name = queue_name(service, subscription.name)
    arguments = _dead_lettering(service, dead_letter_queue(name))
    if subscription.is_ordered:
        arguments["x-single-active-consumer"] = True
    yield Queue(name, arguments)
    yield Queue(dead_letter_queue(name), _QUORUM)
    for tier in subscription.retry.delays:
        ttl = {"x-message-ttl": tier_seconds(tier) * 1000}
        yield Queue(retry_queue(name, tier), _dead_lettering(service, name) | ttl)


def _dead_lettering(service: str, target: str) -> dict[str, Argument]:
    """Hand on to another queue of the service, without a gap for a crash."""
    return _QUORUM | {
        "x-dead-letter-exchange": direct_exchange(service),
        "x-dead-letter-routing-key": target,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


def _bindings(service: str, subscription: Subscription) -> set[Binding]:
    name = queue_name(service, subscription.name)
    own = [name, dead_letter_queue(name)]
    own += [retry_queue(name, tier) for tier in subscription.retry.delays]
    direct = direct_exchange(service)
    return {Binding(direct, queue, queue) for queue in own} | {
        Binding(exchange, name, key)
        for exchange, key in bindings_of(subscription.events)
    }


def _permission(worker: Worker) -> Permission:
    """Give a service's account the least it can work with.

    Binding a live queue takes write on the queue and read on the exchange. Nobody
    has any right on the default exchange.
    """
    service = worker.service
    live = rf"{re.escape(service)}\.live\..*"
    has_live = bool(worker.live_subscriptions)
    written = [name for name, _ in bindings_of(worker.emits)]
    if worker.subscriptions:
        written.append(direct_exchange(service))
    read = [queue_name(service, sub.name) for sub in worker.subscriptions]
    for live_one in worker.live_subscriptions:
        read += [name for name, _ in bindings_of(live_one.events)]
    return Permission(
        user=service,
        configure=_any_of([], live if has_live else ""),
        write=_any_of(written, live if has_live else ""),
        read=_any_of(read, live if has_live else ""),
    )


def _any_of(names: Iterable[str], pattern: str) -> str:
    """Return a regular expression for exactly these names and one pattern.

    Nothing at all is ``^$``, which the broker reads as the default exchange and as
    server-named queues; a pattern that no name can match is used instead.
    """
    parts = [re.escape(name) for name in sorted(set(names))]
    if pattern:
        parts.append(pattern)
    return f"^({'|'.join(parts)})$" if parts else "^(?!)$"
