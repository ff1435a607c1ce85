"""Names on the broker: every one follows from a service, a subscription or a type."""

from collections.abc import Iterable

from libs.events.event import Event

UNROUTABLE = "unroutable"
"""Alternate exchange of every event exchange, and the queue behind it."""

_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600}


def direct_exchange(service: str) -> str:
    """Return the exchange for the service's own retries and dead letters."""
    return f"{service}.direct"


def queue_name(service: str, subscription: str) -> str:
    """Return the queue of a durable subscription."""
    return f"{service}.{subscription}"


def retry_queue(queue: str, tier: str) -> str:
    """Return the queue in which an event of `queue` waits for the time of a tier."""
    return f"{queue}.retry.{tier}"


def dead_letter_queue(queue: str) -> str:
    """Return the queue that keeps what `queue` gave up."""
    return f"{queue}.dlq"


def live_queue(service: str, instance_id: str, name: str) -> str:
    """Return the exclusive queue of one process's live subscription."""
    return f"{service}.live.{instance_id}-{name}"


def tier_seconds(tier: str) -> int:
    """Return the delay of a tier such as ``10m``.

    Raises:
        ValueError: It is not a number with one of the units s, m, h.
    """
    number, unit = tier[:-1], tier[-1:]
    if not number.isdecimal() or unit not in _UNIT_SECONDS:
        raise ValueError(f"no such tier: {tier!r}")
    return int(number) * _UNIT_SECONDS[unit]


def bindings_of(events: Iterable[type[Event]]) -> list[tuple[str, str]]:
    """Return (exchange, routing key) of each type, once, in order."""
    return list(dict.fromkeys((cls.event_exchange(), cls.event_type) for cls in events))


def matches(pattern: str, routing_key: str) -> bool:
    """Tell whether a topic pattern takes a key: ``*`` one word, ``#`` none or more."""
    return _match(pattern.split("."), routing_key.split("."))


def _match(pattern: list[str], words: list[str]) -> bool:
    if not pattern:
        return not words
    head, *rest = pattern
    if head == "#":
        return any(_match(rest, words[i:]) for i in range(len(words) + 1))
    return bool(words) and head in ("*", words[0]) and _match(rest, words[1:])
