"""``erasure.events``: parts of a deletion done; every service emits, auth listens."""

from libs.events.event import Event


class ErasureCompleted(Event, type="erasure.completed", version=1, key="user_id"):
    """A service erased its part of a deleted user."""

    user_id: str
    service: str
    erased_count: int
