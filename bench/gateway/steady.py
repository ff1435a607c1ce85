"""Load at a steady rate, by a client that costs too little to be what is measured.

No event loop: uvloop rounds timers to milliseconds, and half of one to none, so that
between two requests it would take a processor to itself, which the servers need.
`select` waits for microseconds.
"""

import select
import socket
import time
from collections import deque
from urllib.parse import urlsplit

from httptools import HttpResponseParser

from bench.gateway.rig import Server

_CONNECTIONS = 64
_LONGEST_SECONDS = 10
_RECEIVED_MAX_BYTES = 65_536
_OK = 200


class _Line:
    """A connection; one request at a time."""

    def __init__(self, load: "_Load", address: tuple[str, int]) -> None:
        self._load = load
        self._parser = HttpResponseParser(self)
        self._due = 0.0
        self.socket = socket.create_connection(address, timeout=_LONGEST_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def fileno(self) -> int:
        return self.socket.fileno()

    def ask(self, request: bytes, due: float) -> None:
        self._due = due
        self.socket.sendall(request)

    def read(self) -> None:
        received = self.socket.recv(_RECEIVED_MAX_BYTES)
        assert received, "the server closed"
        self._parser.feed_data(received)

    def on_message_complete(self) -> None:
        assert self._parser.get_status_code() == _OK
        self._load.answered(self, time.perf_counter() - self._due)


class _Load:
    """Requests that are due go to whichever connection is free, in their order."""

    def __init__(self, request: bytes, address: tuple[str, int]) -> None:
        self._request = request
        self._free = [_Line(self, address) for _ in range(_CONNECTIONS)]
        self._busy: set[_Line] = set()
        self._due: deque[float] = deque()
        self.waits: list[float] = []

    def add(self, due: float) -> None:
        self._due.append(due)
        self._ask()

    def answered(self, line: _Line, seconds: float) -> None:
        self.waits.append(seconds * 1_000)
        self._busy.discard(line)
        self._free.append(line)
        self._ask()

    def read(self, seconds: float) -> None:
        """Take what is answered within so many seconds, and no more than is there."""
        for line in select.select(self._busy, [], [], seconds)[0]:
            line.read()

    def close(self) -> None:
        for line in (*self._free, *self._busy):
            line.socket.close()

    def _ask(self) -> None:
        while self._due and self._free:
            line = self._free.pop()
            self._busy.add(line)
            line.ask(self._request, self._due.popleft())


def steady(
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
    request = ("\r\n".join(lines) + "\r\n\r\n").encode()
    load = _Load(request, (ends.hostname or "", ends.port or 80))
    started, total, sent = time.perf_counter(), int(per_s * seconds), 0
    while len(load.waits) < total:
        now = time.perf_counter()
        assert now < started + seconds + _LONGEST_SECONDS, "answers are missing"
        while sent < total and started + sent / per_s <= now:
            load.add(started + sent / per_s)
            sent += 1
        due = started + sent / per_s if sent < total else now + _LONGEST_SECONDS
        load.read(max(0.0, due - time.perf_counter()))
    load.close()
    return load.waits
