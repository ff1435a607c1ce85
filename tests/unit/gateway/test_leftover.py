"""What a refused client still sends is read, but not for ever."""

import asyncio
import itertools

import pytest

from services.gateway.proxy import leftover
from services.gateway.proxy.leftover import read_leftover


class Client:
    """Sends parts; counts how many were taken."""

    def __init__(self, *parts: bytes | None, header: tuple[bytes, bytes]) -> None:
        self.scope = {"headers": [header]}
        self.taken = 0
        self._parts = iter(parts)

    async def receive(self) -> dict[str, object]:
        """Give the next part; None is a client who has gone; then wait for ever."""
        self.taken += 1
        part = next(self._parts, b"never")
        if part is None:
            return {"type": "http.disconnect"}
        if part == b"never":
            await asyncio.Event().wait()
        is_last = part == b"last"
        return {"type": "http.request", "body": part, "more_body": not is_last}


LENGTH = (b"content-length", b"9")
CHUNKED = (b"transfer-encoding", b"chunked")


@pytest.mark.parametrize(
    ("parts", "header", "taken"),
    [
        ([b"last"], (b"accept", b"x"), 0),
        ([b"last"], (b"content-length", b"0"), 0),
        ([b"a", b"b", b"last", b"next"], LENGTH, 3),
        ([b"a", b"last"], CHUNKED, 2),
        ([b"a", None, b"b"], LENGTH, 2),
    ],
)
async def test_a_body_is_read_to_its_end(parts, header, taken) -> None:
    """To its last part, or until the client has gone; nothing where there is none."""
    client = Client(*parts, header=header)
    await read_leftover(client.scope, client.receive)
    assert client.taken == taken


async def test_a_body_without_end_is_left(monkeypatch) -> None:
    """HT-1, HT-2: more than the edge lets through, or longer than a moment: left."""
    monkeypatch.setattr(leftover, "_MOST_BYTES", 10)
    client = Client(*itertools.repeat(b"xxxx", 9), header=CHUNKED)
    await read_leftover(client.scope, client.receive)
    assert client.taken == 3
    monkeypatch.setattr(leftover, "_LONGEST_SECONDS", 0.01)
    client = Client(b"x", header=CHUNKED)
    await read_leftover(client.scope, client.receive)
    assert client.taken == 2
