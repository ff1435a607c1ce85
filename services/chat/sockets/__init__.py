"""Socket.IO: python-socketio's handshake and heartbeat, our own event path.

Events of admitted clients skip engineio's queues: they are decoded, checked and
answered here, and a broadcast is encoded once. Source: ADR 0012, docs/realtime.md.
"""

from services.chat.sockets.dispatch import Dispatcher, EventRates
from services.chat.sockets.gate import SocketGate
from services.chat.sockets.handlers import SocketHandlers
from services.chat.sockets.message_handlers import MessageHandlers
from services.chat.sockets.presence_handlers import PresenceHandlers
from services.chat.sockets.rooms import LocalRooms
from services.chat.sockets.transport import MESSAGE_BYTES, socketio_server

__all__ = [
    "MESSAGE_BYTES",
    "Dispatcher",
    "EventRates",
    "LocalRooms",
    "MessageHandlers",
    "PresenceHandlers",
    "SocketGate",
    "SocketHandlers",
    "socketio_server",
]
