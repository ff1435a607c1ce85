"""One authenticated client: its user, its session, its rooms."""

import asyncio
from collections.abc import Iterable

from libs.kernel import SessionId, UserId
from services.chat.ports import ClientSocket
from services.chat.sockets.frames import DISCONNECT, encode_event
from services.chat.sockets.rates import Gcra, Violations


class Client:
    """What is known of a socket after CONNECT.

    Attributes:
        sid: Socket.IO's id of it; also the device id of its presence.
        expires_at: Of the token, seconds since 1970.
        rooms: Kept by `LocalRooms`.
        limiters: By kind of event; filled by the dispatcher.
        in_flight: Events being handled.
        events: Events taken since it connected.
        connected_at: Monotonic seconds.
    """

    __slots__ = (
        "connected_at",
        "events",
        "expires_at",
        "expiry",
        "in_flight",
        "limiters",
        "rooms",
        "session_id",
        "sid",
        "socket",
        "user_id",
        "violations",
    )

    def __init__(
        self,
        socket: ClientSocket,
        sid: str,
        user_id: UserId,
        session_id: SessionId,
        *,
        violations: int,
    ) -> None:
        self.socket = socket
        self.sid = sid
        self.user_id = user_id
        self.session_id = session_id
        self.expires_at = 0
        self.expiry: asyncio.TimerHandle | None = None
        self.rooms: set[str] = set()
        self.limiters: dict[str, Gcra] = {}
        self.violations = Violations(violations)
        self.in_flight = 0
        self.events = 0
        self.connected_at = 0.0

    def emit(self, name: str, payload: object) -> None:
        """Write one event to this client alone."""
        self.socket.send_frame(encode_event(name, payload))

    def close(self, farewell: Iterable[bytes] = ()) -> None:
        """Say farewell, tell Socket.IO that it is over, and close."""
        for frame in (*farewell, DISCONNECT):
            self.socket.send_frame(frame)
        self.socket.close()
