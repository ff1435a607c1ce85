"""What goes out in one turn of the loop: one write a connection, however many frames.

A write is a system call, and under load most of what a delivery costs. Events of one
conversation come in batches, so a member's frames of a batch leave together.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

_TEXT = 0x81  # a whole text frame: FIN and opcode 1; a server masks nothing
_TWO_BYTES = b"\x81\x7e"
_EIGHT_BYTES = b"\x81\x7f"
_SHORT_MAX = 125
_MEDIUM_MAX = 0xFFFF


class Writer(Protocol):
    """A connection that has frames to write."""

    def flush(self) -> None:
        """Write them."""
        ...


class LoopTurn:
    """Calls every connection that has something to write, once, soon."""

    def __init__(self) -> None:
        self._waiting: list[Writer] = []

    def add(self, connection: Writer) -> None:
        """Flush a connection after what runs now; to be called once before that."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._flush)
        self._waiting.append(connection)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        for connection in waiting:
            connection.flush()


def joined(frames: Sequence[bytes]) -> bytes:
    """Return texts as WebSocket frames, one after the other (RFC 6455 section 5.2)."""
    parts: list[bytes] = []
    for frame in frames:
        size = len(frame)
        if size <= _SHORT_MAX:
            parts.append(bytes((_TEXT, size)))
        elif size <= _MEDIUM_MAX:
            parts.append(_TWO_BYTES + size.to_bytes(2, "big"))
        else:
            parts.append(_EIGHT_BYTES + size.to_bytes(8, "big"))
        parts.append(frame)
    return b"".join(parts)
