"""Events of a transaction that is still open."""

from typing import Any

from libs.events.bus import Transaction
from libs.events.envelope import Received, encode_event
from libs.events.errors import NotEmittedError
from libs.events.event import Event
from libs.events.frames import Row
from libs.events.tracing import caused_by, current_cause
from libs.kernel import Clock, EventId, new_id


class Stager:
    """Turns a service's events into outbox rows.

    Args:
        service: Name of the emitting service; ``/chat`` is the events' source.
        clock: Where their time comes from.
        emits: Types it may publish; None does not check.
    """

    def __init__(
        self, service: str, clock: Clock, emits: frozenset[str] | None = None
    ) -> None:
        self._source = f"/{service}"
        self._clock = clock
        self._emits = emits

    def row(self, event: Event, event_id: EventId | None = None) -> Row:
        """Encode an event once, with the cause of the running action.

        Raises:
            NotEmittedError: The worker's ``emits`` does not name the type.
            EventTooLargeError: More than 256 KiB encoded.
        """
        if self._emits is not None and event.event_type not in self._emits:
            raise NotEmittedError(
                f"{self._source[1:]} does not emit {event.event_type}"
            )
        known_id = event_id or EventId(new_id())
        cause = current_cause()
        return Row(
            id=known_id,
            type=event.event_type,
            exchange=event.event_exchange(),
            key=event.event_key,
            sequence=event.event_sequence,
            body=encode_event(
                event,
                known_id,
                source=self._source,
                time=self._clock.now(),
                cause=cause,
            ),
            traceparent=cause.traceparent,
        )


class StagedTransaction:
    """`libs.events.bus.Transaction`: collects rows until the commit."""

    def __init__(self, stager: Stager, session: Any) -> None:  # noqa: ANN401 - pymongo's AsyncClientSession, or None
        self._stager = stager
        self._session = session
        self.rows: list[Row] = []

    @property
    def session(self) -> Any:  # noqa: ANN401 - pymongo's AsyncClientSession
        """The session to pass to every write of this transaction."""
        return self._session

    def publish(self, event: Event, *, event_id: EventId | None = None) -> EventId:
        """Add an event; see `libs.events.bus.Transaction.publish`."""
        row = self._stager.row(event, event_id)
        self.rows.append(row)
        return EventId(row.id)


class CausedTransaction:
    """A shared `Transaction` as one event of a batch sees it.

    What it publishes has this event as its cause, whichever event of the batch the
    handler published last.
    """

    __slots__ = ("_received", "_transaction")

    def __init__(self, transaction: Transaction, received: Received) -> None:
        self._transaction = transaction
        self._received = received

    @property
    def session(self) -> Any:  # noqa: ANN401 - pymongo's AsyncClientSession
        """The session of the whole batch."""
        return self._transaction.session

    def publish(self, event: Event, *, event_id: EventId | None = None) -> EventId:
        """Add an event; see `libs.events.bus.Transaction.publish`."""
        with caused_by(self._received.cause):
            return self._transaction.publish(event, event_id=event_id)
