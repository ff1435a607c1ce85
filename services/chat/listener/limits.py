"""What one socket, and all of them together, may take."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SocketLimits:
    """Bounds of the listener.

    Attributes:
        allowed_origins: Exact origins of browsers; a request without an origin is
            no browser's and lives by its token alone.
        path: Where Socket.IO is served.
        anonymous_bytes: Largest message before authentication.
        message_bytes: Largest message after it.
        authenticate_seconds: From the handshake to a valid CONNECT.
        sockets: Open sockets in this process.
        anonymous_per_address: Sockets of one address that are not authenticated.
        unsent_events: Events waiting for a client that does not read.
        unsent_bytes: Bytes of the same.
        unsent_seconds: How long anything may wait for it.
        farewell_seconds: Time of a client that is sent away to read why.
        send_buffer_bytes: The kernel's buffer of one socket.
    """

    allowed_origins: tuple[str, ...]
    path: str = "/socket.io/"
    anonymous_bytes: int = 8 * 1024
    message_bytes: int = 256 * 1024
    authenticate_seconds: float = 5.0
    sockets: int = 20_000
    anonymous_per_address: int = 100
    unsent_events: int = 256
    unsent_bytes: int = 1024 * 1024
    unsent_seconds: float = 2.0
    farewell_seconds: float = 1.0
    send_buffer_bytes: int = 128 * 1024
