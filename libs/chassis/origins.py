"""Who asked for what is under way, and from where: for those who record it.

The edges that know a client bind it, for each request and each socket event; no use
case hands on what it does not need itself.
"""

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Origin:
    """Where an action comes from.

    Attributes:
        user_id: Who asked; empty where no client did.
        session_id: In which session; a secret to records, which keep its hash.
        address: Network address of the client, as the gateway or the edge saw it.
    """

    user_id: str = ""
    session_id: str = ""
    address: str = ""


NOWHERE = Origin()
_origin: ContextVar[Origin] = ContextVar("origin", default=NOWHERE)


def bind_origin(origin: Origin) -> None:
    """Say where what follows in this task comes from."""
    _origin.set(origin)


def current_origin() -> Origin:
    """Return where the action under way comes from; `NOWHERE` if no client asked."""
    return _origin.get()
