"""One slow reader among 400: what the others notice, and what it costs until it is cut.

Run it with ``make bench B=chat-slow``. Phases without and with a slow reader alternate
on one server, that of `bench.chat.fanout_server`. A slow reader stops reading; as soon
as it is cut the next one takes its place, so that there always is one. Latency is from
the sender's write to each of the other sockets' reads, memory the growth of the
server's resident memory over the phase before.
"""

import argparse
import asyncio
import json
import statistics
import struct
import time
from dataclasses import dataclass, field
from socket import IPPROTO_TCP, TCP_INFO

import orjson
import uvloop

from bench.chat.client import RawClient, open_client, open_clients
from bench.chat.peers import Server, python_command, serving
from bench.events.report import machine
from libs.kernel import new_id

SOCKETS = 400
EVERY_SECONDS = 0.01
TEXT = "x" * 4_000
_ESTABLISHED = 1
_POLL_SECONDS = 0.02
_REVISION = b'"revision":'


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="bench.chat_slow", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0, help="of a phase")
    return parser.parse_args()


@dataclass
class Phase:
    """What was seen while it lasted."""

    waits_ms: list[float] = field(default_factory=list)
    rss_kb: list[float] = field(default_factory=list)
    evicted_seconds: list[float] = field(default_factory=list)

    def percentile_ms(self, share: float) -> float:
        """Return the time within which that share of the deliveries came."""
        return sorted(self.waits_ms)[int(len(self.waits_ms) * share)]


class Room:
    """Everybody but the slow one: sends, and times what comes."""

    def __init__(self) -> None:
        self._sent_at: dict[int, float] = {}
        self._revision = 0
        self._conversation_id = new_id()
        self.phase = Phase()

    def take(self, packet: bytes) -> None:
        """Time one delivery."""
        start = packet.find(_REVISION) + len(_REVISION)
        revision = int(packet[start : packet.find(b",", start)])
        waited = time.perf_counter() - self._sent_at[revision]
        self.phase.waits_ms.append(waited * 1000)

    async def talk(self, sender: RawClient, seconds: float) -> None:
        """Send at a steady rate."""
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            self._revision += 1
            payload = {
                "conversation_id": self._conversation_id,
                "revision": self._revision,
                "message": {"text": TEXT},
            }
            self._sent_at[self._revision] = time.perf_counter()
            sender.emit("message.send", orjson.dumps(payload), lambda _: None)
            await asyncio.sleep(EVERY_SECONDS)


async def be_slow(server: Server, phase: Phase) -> None:
    """Be a slow reader for ever; each time it is cut, note after how long."""
    while True:
        client = await open_client(server.url, new_id())
        client.stop_reading()
        started = time.perf_counter()
        while is_connected(client):  # noqa: ASYNC110 - the kernel tells nobody
            await asyncio.sleep(_POLL_SECONDS)
        phase.evicted_seconds.append(time.perf_counter() - started)
        client.abort()


def is_connected(client: RawClient) -> bool:
    """Tell whether the peer still holds the connection; nothing is read for it."""
    state = client.socket().getsockopt(IPPROTO_TCP, TCP_INFO, 8)
    return bool(struct.unpack_from("B", state)[0] == _ESTABLISHED)


async def watch_memory(server: Server, phase: Phase) -> None:
    """Note the server's memory for ever."""
    while True:
        phase.rss_kb.append(server.rss_kb)
        await asyncio.sleep(_POLL_SECONDS)


async def play(
    room: Room, server: Server, sender: RawClient, seconds: float, *, has_slow: bool
) -> Phase:
    """Play one phase."""
    room.phase = phase = Phase()
    beside = [asyncio.create_task(watch_memory(server, phase))]
    if has_slow:
        beside.append(asyncio.create_task(be_slow(server, phase)))
    try:
        await room.talk(sender, seconds)
        await asyncio.sleep(0.5)
    finally:
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
    return phase


async def run(rounds: int, seconds: float) -> dict[str, float]:
    """Alternate the phases; return the figures."""
    async with serving(python_command("bench.chat.fanout_server")) as server:
        room = Room()
        tokens = [new_id() for _ in range(SOCKETS - 1)]
        clients = await open_clients(server.url, tokens, room.take)
        await play(room, server, clients[0], seconds / 2, has_slow=True)  # to warm up
        calm: list[Phase] = []
        slow: list[Phase] = []
        for _ in range(rounds):
            for phases, has_slow in ((calm, False), (slow, True)):
                phases.append(
                    await play(room, server, clients[0], seconds, has_slow=has_slow)
                )
        for client in clients:
            client.abort()
    return figures_of(calm, slow)


def figures_of(calm: list[Phase], slow: list[Phase]) -> dict[str, float]:
    """Return medians over the rounds, the worst of eviction and memory."""
    ratios = [
        with_slow.percentile_ms(0.99) / without.percentile_ms(0.99)
        for without, with_slow in zip(calm, slow, strict=True)
    ]
    evicted = [seconds for phase in slow for seconds in phase.evicted_seconds]
    growth = [
        max(with_slow.rss_kb) - max(without.rss_kb)
        for without, with_slow in zip(calm, slow, strict=True)
    ]
    return {
        "p99_ms_without": statistics.median(p.percentile_ms(0.99) for p in calm),
        "p99_ms_with": statistics.median(p.percentile_ms(0.99) for p in slow),
        "p99_ratio": statistics.median(ratios),
        "evictions": len(evicted),
        "evicted_s_max": max(evicted),
        "memory_kb_max": max(growth),
    }


def main() -> None:
    """Measure and print."""
    options = arguments()
    figures = uvloop.run(run(options.rounds, options.seconds))
    print(f"{SOCKETS} sockets, one of them slow, {1 / EVERY_SECONDS:.0f} messages/s")
    for name, value in figures.items():
        print(f"  {name:<18}{value:>10.2f}")
    print(
        json.dumps(
            {n: round(v, 3) for n, v in figures.items()} | {"machine": machine()}
        )
    )


if __name__ == "__main__":
    main()
