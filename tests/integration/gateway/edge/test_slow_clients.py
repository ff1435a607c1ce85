"""HT-2: five hundred slow clients of each kind, and others who notice nothing."""

import contextlib
import select
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from deploy.embedded.layout import HOST
from deploy.nginx.form import Deadlines
from tests.integration.gateway.edge.conftest import OPEN
from tests.support import raw_h2

pytestmark = pytest.mark.integration

SHORT = Deadlines(header_seconds=3, body_seconds=2, send_seconds=3, idle_seconds=2)
ROUTE_SECONDS = 1  # for a whole body, of the route below, in the gateway
SOCKETS = 500
DRIP_SECONDS = 0.4
MARGIN_SECONDS = 3  # a busy machine's
LONGEST_SECONDS = 30
LARGE_BYTES = 4_000_000
HEAD = f"HTTP/1.1\r\nHost: {HOST}\r\n"


@dataclass(frozen=True)
class Slow:
    """One kind of slow client.

    Attributes:
        source: Address that all of them come from.
        opening: What each sends at once.
        drip: What each sends again and again.
        deadline_seconds: By when each has to be closed.
        reads: Whether it takes what it is sent.
    """

    source: str
    opening: bytes
    drip: bytes
    deadline_seconds: float
    reads: bool = True

    def attack(self, port: int) -> list[float]:
        """Keep many connections as long as they are let; return for how long, seconds.

        What is open after half a minute is counted as that.
        """
        poll, began = select.poll(), {}
        with contextlib.ExitStack() as stack:
            clients = {}
            for _ in range(SOCKETS):
                client = stack.enter_context(self._client(port))
                clients[client.fileno()] = client
                began[client.fileno()] = time.monotonic()
                poll.register(client, select.POLLIN if self.reads else 0)
            lived = []
            while clients and time.monotonic() < min(began.values()) + LONGEST_SECONDS:
                for number in self._closed(poll, clients):
                    poll.unregister(number)
                    del clients[number]
                    lived.append(time.monotonic() - began[number])
            return lived + [LONGEST_SECONDS] * len(clients)

    def _client(self, port: int) -> socket.socket:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        client.bind((self.source, 0))
        client.connect((HOST, port))
        client.sendall(self.opening)
        client.settimeout(0)
        return client

    def _closed(self, poll, clients: dict[int, socket.socket]) -> list[int]:
        """Wait for a moment, send a drip on each; return those that were closed."""
        until = time.monotonic() + DRIP_SECONDS
        closed = set()
        while (left := until - time.monotonic()) > 0 and len(closed) < len(clients):
            for number, event in poll.poll(left * 1000):
                is_over = event & (select.POLLERR | select.POLLHUP)
                if is_over or not self._has_more(clients[number]):
                    closed.add(number)
            time.sleep(0.02)  # a closed one is told again and again
        for number in clients.keys() - closed:
            with contextlib.suppress(OSError):
                clients[number].send(self.drip)
        return list(closed)

    def _has_more(self, client: socket.socket) -> bool:
        try:
            return bool(client.recv(65_536))
        except BlockingIOError:
            return True
        except OSError:
            return False


@pytest.fixture(scope="module")
def hasty(make_front, tmp_path_factory):
    """An edge with short deadlines, and a page that no socket buffer holds."""
    folder = tmp_path_factory.mktemp("web")
    (folder / "large.txt").write_bytes(b"x" * LARGE_BYTES)
    with make_front(deadlines=SHORT, web_folder=str(folder)) as found:
        yield found


def kinds(bearer: str) -> dict[str, Slow]:
    """Return the four kinds, each from an address of its own."""
    post = f"POST /api/v1/media/slow/echo {HEAD}{bearer}\r\nContent-Length: 9000\r\n"
    return {
        "slow header": Slow(
            "127.0.0.2",
            f"GET / {HEAD}X-Slow: ".encode(),
            b"x",
            SHORT.header_seconds,
        ),
        "slow body": Slow(
            "127.0.0.3",
            f"{post}\r\nx".encode(),
            b"x",
            ROUTE_SECONDS + SHORT.body_seconds,
        ),
        "slow reader": Slow(
            "127.0.0.4",
            f"GET /large.txt {HEAD}\r\n".encode(),
            b"",
            SHORT.send_seconds,
            reads=False,
        ),
        "idle": Slow(
            "127.0.0.5",
            f"GET {OPEN} {HEAD}\r\n".encode(),
            b"",
            SHORT.idle_seconds,
        ),
    }


def test_ht_2_slow_clients_are_closed_and_others_are_served(hasty, tell):
    """HT-2: each of 2,000 is closed by its deadline; who comes meanwhile is served."""
    slow = kinds(hasty.bearer())
    waits = []
    with ThreadPoolExecutor(len(slow)) as pool:
        attacks = {
            name: pool.submit(kind.attack, hasty.edge.port())
            for name, kind in slow.items()
        }
        while not all(attack.done() for attack in attacks.values()):
            began = time.monotonic()
            hasty.innocent("meanwhile")
            waits.append(time.monotonic() - began)
            time.sleep(0.05)
    for name, attack in attacks.items():
        lived = attack.result()
        assert len(lived) == SOCKETS
        longest = slow[name].deadline_seconds + MARGIN_SECONDS
        assert max(lived) < longest, (name, max(lived))
        tell(f"{name}: closed after {min(lived):.1f} to {max(lived):.1f} s")
    waits.sort()
    tell(f"others: {len(waits)} requests, longest {waits[-1] * 1000:.0f} ms")
    assert waits[-1] < 2


def lived(connection: socket.socket, sent: bytes) -> float:
    """Send bytes and nothing after them; return how long the connection was kept."""
    began = time.monotonic()
    with contextlib.suppress(OSError):
        connection.sendall(sent)
        while connection.recv(65_536):
            pass
    return time.monotonic() - began


def test_ht_2_silence_over_tls_and_http_2_is_ended_too(hasty):
    """HT-2: no handshake, no request, half a request, half a body."""
    port = hasty.edge.port("edge_tls")
    body = ("content-length", "9000")
    header = raw_h2.fields("POST", "/api/v1/media/slow/echo", body)
    header.append(("authorization", hasty.bearer().partition(": ")[2]))

    def plain() -> float:
        with socket.create_connection((HOST, port), LONGEST_SECONDS) as connection:
            return lived(connection, b"\x16\x03\x01")

    def over_h2(sent: bytes) -> float:
        with raw_h2.connected(hasty.edge.trust(), port) as connection:
            connection.settimeout(LONGEST_SECONDS)
            return lived(connection, sent)

    with ThreadPoolExecutor() as pool:
        kept = [
            pool.submit(plain),
            *(
                pool.submit(over_h2, sent)
                for sent in (
                    b"",
                    raw_h2.opened(),
                    raw_h2.opened()[:-4],
                    raw_h2.opened(header),
                )
            ),
        ]
    assert (
        max(each.result() for each in kept) < 2 * SHORT.header_seconds + MARGIN_SECONDS
    )
