"""Typed events: a frozen struct, its type, its version and its key."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, ClassVar, dataclass_transform

import msgspec

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]

_registry: dict[str, type["Event"]] = {}
_upcasters: dict[tuple[str, int], Upcaster] = {}


@dataclass_transform(frozen_default=True, kw_only_default=False)
class EventMeta(msgspec.StructMeta):
    """Takes ``type``, ``version`` and ``key`` from the class statement."""

    def __new__(  # noqa: PYI034 - a metaclass: it returns the new class
        mcls,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        type: str = "",  # noqa: A002 - CloudEvents' own word
        version: int = 1,
        key: str = "",
        **config: Any,  # noqa: ANN401 - handed on to msgspec
    ) -> "EventMeta":
        """Make the struct class and enter it into the catalog."""
        config.setdefault("frozen", True)
        config.setdefault("kw_only", True)
        config.setdefault("gc", False)  # what came from JSON holds no cycle
        cls = super().__new__(mcls, name, bases, namespace, **config)
        if type:
            _register(cls, type, version, key)
        return cls


@lru_cache(maxsize=1024)
def exchange_of(event_type: str) -> str:
    """Return the exchange of a type: ``message.events`` for ``message.sent``."""
    return f"{event_type.partition('.')[0]}.events"


class Event(msgspec.Struct, metaclass=EventMeta, frozen=True, kw_only=True):
    """Base of every domain event.

    A subclass names its type (= routing key), the version of its schema and the
    field that holds its key: events of one key are published in commit order, and
    the key is CloudEvents' ``subject`` and ``partitionkey``::

        class MessageSent(Event, type="message.sent", version=1, key="conversation_id"):
            conversation_id: str

    Fields that came with a later minor change have a default; a field that is
    removed, renamed or changes meaning needs a new version and an upcaster.
    Source: ADR 0004.
    """

    event_type: ClassVar[str] = ""
    event_version: ClassVar[int] = 1
    event_key_field: ClassVar[str] = ""

    @property
    def event_key(self) -> str:
        """Value of the key field."""
        key: str = getattr(self, self.event_key_field)
        return key

    @property
    def event_sequence(self) -> int | None:
        """CloudEvents ``sequence``: the field ``revision`` where there is one."""
        sequence: int | None = getattr(self, "revision", None)
        return sequence

    @classmethod
    def event_exchange(cls) -> str:
        """Name of the topic exchange: ``message.sent`` goes to ``message.events``."""
        return exchange_of(cls.event_type)


def upcast(
    event_class: type[Event], *, from_version: int
) -> Callable[[Upcaster], Upcaster]:
    """Register how a payload of an old version becomes one of the next version.

    Args:
        event_class: The type whose payloads it reads.
        from_version: Version of the payloads that it takes; it returns the payload
            of ``from_version + 1``. Steps are chained up to the current version.
    """

    def register(upcaster: Upcaster) -> Upcaster:
        _upcasters[event_class.event_type, from_version] = upcaster
        return upcaster

    return register


def event_classes() -> Mapping[str, type[Event]]:
    """Return every event class by its type."""
    return _registry


def upcaster_for(event_type: str, version: int) -> Upcaster | None:
    """Return the step from a version to the next, or None where there is none."""
    return _upcasters.get((event_type, version))


def _register(cls: type, event_type: str, version: int, key: str) -> None:
    if event_type in _registry:
        msg = f"event type {event_type!r} is taken by {_registry[event_type]!r}"
        raise TypeError(msg)
    if key not in cls.__struct_fields__:  # type: ignore[attr-defined]  # a msgspec struct
        msg = f"{cls.__name__}: the key {key!r} is none of its fields"
        raise TypeError(msg)
    cls.event_type = event_type  # type: ignore[attr-defined]  # declared on Event
    cls.event_version = version  # type: ignore[attr-defined]  # declared on Event
    cls.event_key_field = key  # type: ignore[attr-defined]  # declared on Event
    _registry[event_type] = cls
