"""What leaves in one turn of the loop: order, framing, one write a connection."""

import asyncio

import pytest

from services.chat.listener.outgoing import LoopTurn, joined


class Recording:
    """A connection that counts how often it is flushed."""

    def __init__(self) -> None:
        self.flushed = 0

    def flush(self) -> None:
        """Count."""
        self.flushed += 1


async def test_each_connection_is_flushed_once_soon() -> None:
    """Not at once: what else is sent in this turn goes with it."""
    turn, one, two = LoopTurn(), Recording(), Recording()
    turn.add(one)
    turn.add(two)
    assert (one.flushed, two.flushed) == (0, 0)
    await asyncio.sleep(0)
    assert (one.flushed, two.flushed) == (1, 1)
    await asyncio.sleep(0)
    turn.add(one)
    await asyncio.sleep(0)
    assert (one.flushed, two.flushed) == (2, 1)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 70_000])
def test_frames_of_any_size_are_framed(size) -> None:
    """As RFC 6455 section 5.2 has it: 7, 16 or 64 bits of length, no mask."""
    frame = b"x" * size
    found = joined([frame, b"end"])
    assert found[0] == 0x81
    if size < 126:
        length, start = found[1], 2
    elif size < 65_536:
        assert found[1] == 126
        length, start = int.from_bytes(found[2:4], "big"), 4
    else:
        assert found[1] == 127
        length, start = int.from_bytes(found[2:10], "big"), 10
    assert length == size
    assert found[start : start + size] == frame
    assert found[start + size :] == b"\x81\x03end"
