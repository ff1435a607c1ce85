"""Load at a steady rate, by a client that costs too little to be what is measured."""

import asyncio
import time
from collections import deque
from urllib.parse import urlsplit

from httptools import HttpResponseParser

from bench.gateway.rig import Server

_CONNECTIONS = 64
_LONGEST_SECONDS = 10
_OK = 200


class _Line(asyncio.Protocol):
    """A connection; one request at a time."""

    def __init__(self, load: "_Load") -> None:
        self._load = load
        self._due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]  # uvloop's own
        self._parser = HttpResponseParser(self)
        self._load.free(self)

    def ask(self, request: bytes, due: float) -> None:
        self._due = due
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        assert self._parser.get_status_code() == _OK
        self._load.waits.append((time.perf_counter() - self._due) * 1_000)
        self._load.free(self)

    def close(self) -> None:
        self._transport.close()


class _Load:
    """Requests that are due go to whichever connection is free, in their order."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._lines: list[_Line] = []
        self._due: deque[float] = deque()
        self.waits: list[float] = []

    def free(self, line: _Line) -> None:
        if self._due:
            line.ask(self._request, self._due.popleft())
        else:
            self._lines.append(line)

    def add(self, due: float) -> None:
        if self._lines:
            self._lines.pop().ask(self._request, due)
        else:
            self._due.append(due)

    def close(self) -> None:
        for line in self._lines:
            line.close()


async def steady(
    server: Server, path: str, *, per_s: float, seconds: float, token: str | None = None
) -> list[float]:
    """Ask at a steady rate; return how long each answer took, in milliseconds.

    The rate does not wait for slow answers: a stall costs all who come during it. A
    request counts from the moment at which it was due, so the client's own lateness
    counts too: it has to be the same for all that are compared.
    """
    ends = urlsplit(server.url)
    lines = [f"GET {path} HTTP/1.1", f"Host: {ends.netloc}"]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    load = _Load(("\r\n".join(lines) + "\r\n\r\n").encode())
    loop = asyncio.get_running_loop()
    for _ in range(_CONNECTIONS):
        await loop.create_connection(lambda: _Line(load), ends.hostname, ends.port)
    started, total, sent = time.perf_counter(), int(per_s * seconds), 0
    while sent < total:
        passed = time.perf_counter() - started
        for number in range(sent, min(total, int(passed * per_s) + 1)):
            load.add(started + number / per_s)
            sent = number + 1
        await asyncio.sleep(max(0.0, started + sent / per_s - time.perf_counter()))
    async with asyncio.timeout(_LONGEST_SECONDS):
        while len(load.waits) < total:  # noqa: ASYNC110 - a benchmark's end
            await asyncio.sleep(0.01)
    load.close()
    return load.waits
