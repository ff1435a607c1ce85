"""Exchanges, queues, bindings, policies and rights, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Argument = str | int | bool


@dataclass(frozen=True)
class Exchange:
    """A durable exchange."""

    name: str
    kind: str
    arguments: Mapping[str, Argument] = field(default_factory=dict)


@dataclass(frozen=True)
class Queue:
    """A durable quorum queue.

    Attributes:
        arguments: What can never change: type, order, dead lettering, a tier's TTL.
            Limits are policies, since redeclaring with other arguments is refused.
    """

    name: str
    arguments: Mapping[str, Argument]


@dataclass(frozen=True, order=True)
class Binding:
    """From an exchange to a queue."""

    exchange: str
    queue: str
    routing_key: str


@dataclass(frozen=True)
class Policy:
    """Limits for the queues whose name fits a pattern."""

    name: str
    pattern: str
    priority: int
    definition: Mapping[str, Argument]


@dataclass(frozen=True)
class Permission:
    """Rights of one service's account, as regular expressions over names."""

    user: str
    configure: str
    write: str
    read: str


@dataclass(frozen=True)
class Topology:
    """All of it, each part sorted by name."""

    exchanges: tuple[Exchange, ...]
    queues: tuple[Queue, ...]
    bindings: tuple[Binding, ...]
    policies: tuple[Policy, ...]
    permissions: tuple[Permission, ...]
