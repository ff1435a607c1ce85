"""Outcome words that handlers raise, and what can go wrong in the library."""

from libs.kernel import InvalidError, UnavailableError


class PermanentError(Exception):
    """Raised by a handler: no retry can help, the event is a dead letter at once.

    Its text goes into the dead letter's headers: never private content.
    """


class RetryAfter(Exception):  # noqa: N818 - an outcome word, it reads as one
    """Raised by a handler: try again, but not before so many seconds.

    Args:
        seconds: The event waits in the first retry tier that is at least as long,
            or in the longest one the subscription has.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(f"retry after {seconds:g} s")
        self.seconds = seconds


class WriteConflictError(UnavailableError):
    """Another transaction was faster, or the server changed: run it again.

    `EventBus.run_transaction` does that by itself; from ``async with
    bus.transaction()`` it comes out, since a block cannot be run a second time.
    """

    def __init__(self) -> None:
        super().__init__(
            "write_conflict", "The transaction lost to another one; try it again."
        )


class DatabaseAwayError(UnavailableError):
    """The service's database does not answer, or not in time.

    No fault of the event that was being handled: without its inbox none can be. A
    consumer waits, however long it takes, instead of counting a failed try.
    """


class EventTooLargeError(InvalidError):
    """One event is larger than a message may be; send a claim check instead."""

    def __init__(self, event_type: str, size_bytes: int) -> None:
        super().__init__(
            "event_too_large",
            f"{event_type} has {size_bytes} bytes",
            size_bytes=size_bytes,
        )


class NotEmittedError(TypeError):
    """A service published a type that its worker does not name in ``emits``."""


class DecodeError(Exception):
    """What came over the wire is not an event this process can read.

    Attributes:
        reason: Stable slug for headers and metrics.
    """

    reason = "undecodable"


class UnknownTypeError(DecodeError):
    """No class of the catalog has this type."""

    reason = "unknown_type"


class UnknownVersionError(DecodeError):
    """The payload's version is newer than ours, or no upcaster leads from it."""

    reason = "unknown_version"


class CrashLoopError(Exception):
    """A process died each time it handled this event."""

    def __init__(self, starts: int) -> None:
        super().__init__(f"started {starts} times without an end")


class OutOfOrderError(Exception):
    """An ordered subscription has handled the event's successors already."""

    def __init__(self, sequence: int | None) -> None:
        super().__init__(f"number {sequence} came after its successors")


class PublishRefusedError(Exception):
    """The broker refused a frame for a reason that another try will not change."""


class BrokerAwayError(Exception):
    """No confirm came: not connected, closed on the way, or too slow."""
