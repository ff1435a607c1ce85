"""``session.events``: sign-ins and their ends; emitted by auth."""

from libs.events.event import Event


class SessionStarted(Event, type="session.started", version=1, key="user_id"):
    """A user signed in on a device."""

    user_id: str
    session_id: str
    device_name: str


class SessionRevoked(Event, type="session.revoked", version=1, key="user_id"):
    """A session ended; its tokens are refused and its sockets closed.

    ``reason`` is one of logout, revoked, password_changed, password_reset,
    password_voided, mfa_changed, stepped_up (the same device goes on under a new
    id), reused, suspended, roles_changed, deleted, expired.
    """

    user_id: str
    session_id: str
    reason: str


class SessionReused(Event, type="session.reused", version=1, key="user_id"):
    """A spent refresh token came back: the family was revoked."""

    user_id: str
    session_id: str
