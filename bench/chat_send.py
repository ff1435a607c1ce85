"""Durable sends: ``make bench B=chat-send``, or ``python -m bench.chat_send``.

50 conversations of 10 connected members, a closed loop of sends in flight; mongod,
RabbitMQ, Redis and this load generator share the cores with chat. Every message is
committed by a majority before its acknowledgement, published with a confirm into a
quorum queue, and delivered live to all ten. Prints a table and, as its last line, one
JSON object. ``--processes 2`` compares one process with two on the same cores: both
are up from beginning to end, each in a place of its own, and are loaded in turn, so
that a machine that gets slower does so for both.
"""

import argparse
import asyncio
import json
import os
import signal
import statistics
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop

from bench.chat.closed_loop import (
    CONVERSATIONS,
    MEMBERS,
    STAGES,
    Audience,
    Figures,
    gather_audience,
    measure_level,
)
from bench.chat.people import Registry
from bench.chat.processes import (
    NAME,
    RAISED,
    ChatProcess,
    chat_processes,
    open_chat_place,
    server_pids,
)
from bench.events.report import machine
from bench.events.servers import Place
from deploy.embedded.layout import DEFAULT_ROOT, Stack, open_stack

_SLOW_MS = 100.0


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="bench.chat_send", description=__doc__)
    parser.add_argument("--stack", type=Path, default=DEFAULT_ROOT)
    parser.add_argument("--in-flight", type=int, nargs="+", default=[50, 100, 200])
    parser.add_argument("--seconds", type=float, default=8.0, help="of a level")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=1, help="of all counts")
    parser.add_argument("--profile", type=Path, help="folder: where the CPU goes")
    return parser.parse_args()


@dataclass(frozen=True)
class Side:
    """So many chat processes with an audience and a place of their own."""

    place: Place
    processes: Sequence[ChatProcess]
    audience: Audience

    async def measure(
        self, servers: dict[str, int], options: argparse.Namespace
    ) -> dict[int, Figures]:
        """Measure every level."""
        found: dict[int, Figures] = {}
        for level in options.in_flight:
            await self.place.rest()
            found[level] = await measure_level(
                self.audience, self.processes, servers, level, options.seconds
            )
            print_row(len(self.processes), level, found[level])
        return found


@asynccontextmanager
async def open_side(
    stack: Stack, count: int, profile: Path | None
) -> AsyncIterator[Side]:
    """Run so many chat processes, and connect everybody, while the block runs."""
    async with open_chat_place(stack, f"{NAME}-{count}") as place:
        registry = Registry(stack, place)
        # Numbers of their own: with n processes before it a side begins at n.
        running = chat_processes(stack, place, count, profile, first=count - 1)
        with running as processes:
            audience = await gather_audience(registry, processes)
            await asyncio.sleep(2.0)  # presence of 500 people has been told
            if profile:
                for process in processes:
                    os.kill(process.pid, signal.SIGUSR2)
            yield Side(place, processes, audience)
            audience.close()


def print_head() -> None:
    """Print what the columns are."""
    raised = ", ".join(f"{name}={value}" for name, value in RAISED.items())
    print(f"{CONVERSATIONS} conversations x {MEMBERS} members; raised: {raised}")
    print(
        f"{'processes':>9} {'in flight':>9} {'acked/s':>8} {'deliv./s':>9}"
        f" {'p50 ms':>7} {'p99 ms':>7} | CPU us a message:"
        f" {'chat':>6} {'load':>6} {'mongod':>6} {'rabbit':>6} {'redis':>6}"
        f" | {'refused':>7} {'missing':>7}"
    )


def print_row(count: int, level: int, found: Figures) -> None:
    """Print one level."""
    stages = ", ".join(f"{name} {found[f'{name}_ms']:.1f}" for name in STAGES)
    cpu = [found[f"{n}_cpu_us"] for n in ("chat", "load", "mongod", "rabbitmq")]
    print(
        f"{count:>9} {level:>9} {found['acked_per_s']:>8,.0f}"
        f" {found['deliveries_per_s']:>9,.0f} {found['ack_p50_ms']:>7.1f}"
        f" {found['ack_p99_ms']:>7.1f} | {'':>17}"
        f" {' '.join(f'{value:>6.0f}' for value in cpu)}"
        f" {found['valkey_cpu_us']:>6.0f}"
        f" | {found['refused']:>7.0f} {found['not_delivered']:>7.0f}"
        f" | others {found['other_cores']:.2f} cores"
        f" | {found['messages_a_commit']:>5.0f} a commit, ms:"
        f" {stages}",
        flush=True,
    )


def best_of(levels: dict[int, Figures]) -> Figures:
    """Return the fastest level that answers in time, else the fastest."""
    in_time = [f for f in levels.values() if f["ack_p99_ms"] <= _SLOW_MS]
    return max(in_time or levels.values(), key=lambda f: f["acked_per_s"])


def medians(rounds: Sequence[dict[int, Figures]]) -> dict[int, Figures]:
    """Return the median of each figure of each level over rounds."""
    return {
        level: {
            name: statistics.median(found[level][name] for found in rounds)
            for name in rounds[0][level]
        }
        for level in rounds[0]
    }


def compared(
    one: Sequence[dict[int, Figures]], several: Sequence[dict[int, Figures]]
) -> Figures:
    """Return several processes' share of one's, at the highest level of both.

    The median of the rounds' own ratios: what was measured right after the other.
    """
    level = max(one[0])
    pairs = [(a[level], b[level]) for a, b in zip(one, several, strict=True)]

    def ratio(name: str) -> float:
        return statistics.median(b[name] / a[name] for a, b in pairs)

    return {
        "processes_throughput_ratio": ratio("acked_per_s"),
        "processes_cpu_ratio": ratio("chat_cpu_us"),
    }


async def main(options: argparse.Namespace) -> None:
    """Make places, measure in turn, report."""
    stack = open_stack(options.stack)
    servers = server_pids(stack)
    counts = sorted({1, options.processes})
    rounds: dict[int, list[dict[int, Figures]]] = {count: [] for count in counts}
    print_head()
    async with AsyncExitStack() as opened:
        sides = {
            count: await opened.enter_async_context(
                open_side(stack, count, options.profile)
            )
            for count in counts
        }
        for number in range(options.rounds):
            # Who is first has the machine as the one before left it: by turns.
            for count in counts if number % 2 == 0 else reversed(counts):
                rounds[count].append(await sides[count].measure(servers, options))
    levels = {count: medians(found) for count, found in rounds.items()}
    best = best_of(levels[1])
    if options.processes > 1:
        best |= compared(rounds[1], rounds[options.processes])
    print(
        json.dumps({n: round(v, 2) for n, v in best.items()} | {"machine": machine()})
    )


if __name__ == "__main__":
    uvloop.run(main(arguments()))
