"""Links between chat processes: messages on their way to the one that writes them.

One WebSocket from each process to each other one, on a port of its own that no edge
leads to, opened with an internal token. Frames are MessagePack; what comes up in one
turn of the loop travels in one frame. Source: ADR 0021.
"""

from services.chat.peers.sharing import Sharing

__all__ = ["Sharing"]
