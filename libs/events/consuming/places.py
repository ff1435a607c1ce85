"""Where an event stands in the order of its key."""

from enum import Enum, auto
from typing import Any

Document = dict[str, Any]

GAP, FAILURE, RELEASED = "gap", "failure", "released"
"""Why a key is blocked; a released one only until its worker has caught up."""


class Place(Enum):
    """What became of an event of an ordered subscription."""

    NEXT = auto()
    """It was the next, or had no number, and is done."""
    FILLED = auto()
    """It was the next of a blocked key and is done: parked ones may follow."""
    LATE = auto()
    """An operator replayed it after its successors; done."""
    DUPLICATE = auto()
    """It was done before."""
    STALE = auto()
    """Its successors are done, it never was; nothing happened."""
    GAP = auto()
    """A number before it is missing; nothing happened."""
    BLOCKED = auto()
    """Its key waits for an event that is parked; nothing happened."""

    @property
    def is_due(self) -> bool:
        """Whether its handler may run."""
        return self in (Place.NEXT, Place.FILLED, Place.LATE)


def place_of(
    state: Document, sequence: int | None, *, is_late: bool, is_parked: bool
) -> Place:
    """Return where an event stands, given what is known of its key."""
    last: int | None = state.get("n")
    is_blocked = "blocked" in state
    if is_blocked and not is_parked and (sequence is None or state["blocked"] != GAP):
        return Place.BLOCKED
    if sequence is not None and last is not None:
        if sequence <= last:
            return Place.LATE if is_late else Place.STALE
        if sequence > last + 1:
            return Place.BLOCKED if is_blocked and not is_parked else Place.GAP
    return Place.FILLED if is_blocked else Place.NEXT
