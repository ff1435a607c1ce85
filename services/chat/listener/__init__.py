"""The WebSocket listener: picows outside, the ASGI app of Socket.IO inside.

It checks what engineio and picows leave open (security.md WS-1 to WS-6): origin,
transport, sizes summed over fragments, UTF-8, reserved bits, time to authenticate,
and what a client leaves unread. Source: ADR 0012.
"""

from services.chat.listener.limits import SocketLimits
from services.chat.listener.server import SocketListener

__all__ = ["SocketLimits", "SocketListener"]
