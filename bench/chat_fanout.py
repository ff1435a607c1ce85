"""Fan-out: one message to 400 sockets, beside Socket.IO on Node in the same run.

Run it with ``make bench B=chat-fanout``. Both servers get the same payload from the
same client, which keeps a few messages in flight; rounds alternate. Server CPU is that
of the server's process, user and system, and so includes the kernel's loopback.
"""

import argparse
import asyncio
import contextlib
import json
import platform
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import orjson
import uvloop

from bench.chat.client import RawClient, open_clients
from bench.chat.peers import (
    PeerMissingError,
    Server,
    node_command,
    python_command,
    serving,
)
from libs.kernel import new_id

SOCKETS = 400
IN_FLIGHT = 16
TEXT = "The quick brown fox jumps over the lazy dog. " * 4
PARLEY, NODE = "parley", "node"


@dataclass(frozen=True)
class Figures:
    """What one round of one server gave."""

    cpu_us_per_delivery: float
    deliveries_per_s: float
    messages_per_s: float


class Load:
    """Sends messages and counts deliveries; so many messages are in flight."""

    def __init__(self, in_flight: int) -> None:
        self.delivered = 0
        self._in_flight = in_flight
        self._sockets: list[RawClient] = []
        self._revision = 0
        self._is_sending = False
        self._conversation_id = new_id()

    def take(self, _: bytes) -> None:
        """Count a delivery; the last one of a message sends the next message."""
        self.delivered += 1
        if self._is_sending and self.delivered % SOCKETS == 0:
            self._send()

    async def run(
        self, sockets: list[RawClient], server: Server, seconds: float
    ) -> Figures:
        """Warm up, then measure."""
        self._sockets, self._is_sending = sockets, True
        for _ in range(self._in_flight):
            self._send()
        await asyncio.sleep(min(1.0, seconds / 4))
        delivered, cpu = self.delivered, server.cpu_seconds
        started = time.monotonic()
        await asyncio.sleep(seconds)
        spent = time.monotonic() - started
        delivered, cpu = self.delivered - delivered, server.cpu_seconds - cpu
        self._is_sending = False
        await self._until_all_came()
        return Figures(
            cpu / delivered * 1e6, delivered / spent, delivered / spent / SOCKETS
        )

    async def _until_all_came(self) -> None:
        """Wait for what is in flight: every message reached every socket."""
        async with asyncio.timeout(10):
            while self.delivered < self._revision * SOCKETS:  # noqa: ASYNC110 - counts 400 sockets
                await asyncio.sleep(0.01)
        assert self.delivered == self._revision * SOCKETS, "delivered twice"

    def _send(self) -> None:
        self._revision += 1
        payload = payload_of(self._conversation_id, self._revision)
        sender = self._sockets[self._revision % SOCKETS]
        sender.emit("message.send", orjson.dumps(payload), lambda _: None)


def payload_of(conversation_id: str, revision: int) -> dict[str, object]:
    """Return what is sent and delivered: a message as clients see it."""
    message = {
        "message_id": new_id(),
        "client_message_id": new_id(),
        "seq": revision,
        "revision": revision,
        "sender_id": new_id(),
        "sent_at": "2026-11-22T01:00:00.000000Z",
        "text": TEXT,
        "attachments": [],
        "mentions": [],
        "reply_to_seq": None,
        "is_deleted": False,
        "edited_at": None,
    }
    return {
        "conversation_id": conversation_id,
        "revision": revision,
        "message": message,
    }


async def measure(command: Sequence[str], seconds: float, in_flight: int) -> Figures:
    """Start a server, connect everybody, measure, and end it."""
    async with serving(command) as server:
        load = Load(in_flight)
        tokens = [new_id() for _ in range(SOCKETS)]
        sockets = await open_clients(server.url, tokens, load.take)
        try:
            return await load.run(sockets, server, seconds)
        finally:
            for socket in sockets:
                socket.close()


def commands() -> dict[str, list[str]]:
    """Return how to run each server; a peer that cannot run is told and left out."""
    found = {PARLEY: python_command("bench.chat.fanout_server")}
    try:
        found[NODE] = node_command("socketio.mjs")
    except PeerMissingError as error:
        print(f"Socket.IO on Node: {error}")
    return found


async def run(given: argparse.Namespace) -> dict[str, list[Figures]]:
    """Measure every server in turn, round after round."""
    servers = {name: how for name, how in commands().items() if given.only in name}
    found: dict[str, list[Figures]] = {name: [] for name in servers}
    for _ in range(given.rounds):
        for name, command in servers.items():
            figures = await measure(command, given.seconds, given.in_flight)
            found[name].append(figures)
    return found


def median(rounds: list[Figures], figure: str) -> float:
    """Return the median of one figure over the rounds."""
    return float(statistics.median(getattr(one, figure) for one in rounds))


def report(found: dict[str, list[Figures]], in_flight: int) -> dict[str, float]:
    """Print the table; return the figures of the last line."""
    print(f"one message to {SOCKETS} sockets, {in_flight} in flight,", end=" ")
    print(f"{platform.machine()}, Python {platform.python_version()}")
    print(
        f"{'server':<10}{'CPU us/delivery':>18}{'deliveries/s':>16}{'messages/s':>14}"
    )
    for name, rounds in found.items():
        cpu = median(rounds, "cpu_us_per_delivery")
        rate = median(rounds, "deliveries_per_s")
        print(f"{name:<10}{cpu:>18.2f}{rate:>16,.0f}{rate / SOCKETS:>14.0f}")
    figures: dict[str, float] = {}
    with contextlib.suppress(KeyError):
        figures["cpu_us_per_delivery"] = median(found[PARLEY], "cpu_us_per_delivery")
        figures["deliveries_per_s"] = median(found[PARLEY], "deliveries_per_s")
        figures |= ratios(found[PARLEY], found[NODE])
    return {name: round(value, 3) for name, value in figures.items()}


def ratios(ours: list[Figures], peers: list[Figures]) -> dict[str, float]:
    """Return the peer's figures, and how many times as good ours are."""
    peer_cpu = median(peers, "cpu_us_per_delivery")
    peer_rate = median(peers, "deliveries_per_s")
    return {
        "node_cpu_us_per_delivery": peer_cpu,
        "node_deliveries_per_s": peer_rate,
        "ratio_to_node": median(ours, "deliveries_per_s") / peer_rate,
        "cpu_ratio_to_node": peer_cpu / median(ours, "cpu_us_per_delivery"),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--only", default="", help="servers whose name has this text")
    parser.add_argument("--in-flight", type=int, default=IN_FLIGHT, help="messages")
    given = parser.parse_args()
    print(json.dumps(report(uvloop.run(run(given)), given.in_flight)))


if __name__ == "__main__":
    main()
