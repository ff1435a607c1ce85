"""A closed loop of durable sends by connected members, and what a send costs whom."""

import asyncio
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

from bench.chat.client import RawClient, open_client
from bench.chat.people import Registry
from bench.chat.processes import ChatProcess
from bench.chat_quiet import percentile
from bench.events.meter import cpu_of
from libs.kernel import new_id

CONVERSATIONS = 50
MEMBERS = 10
WARM_SECONDS = 3.0
TEXT = "The quick brown fox jumps over the lazy dog, twice a day."
STAGES = ("queue", "plan", "append", "commit")
_SETTLE_SECONDS = 20.0

Figures = dict[str, float]


@dataclass
class Audience:
    """Connected members of all conversations; a member is in one.

    Attributes:
        seats: Each client with its conversation, in the order in which they send.
    """

    seats: list[tuple[RawClient, str]]

    @property
    def delivered(self) -> int:
        """Events that all clients together have seen."""
        return sum(client.delivered for client, _ in self.seats)

    @property
    def refused(self) -> int:
        """Sends that were answered with an error."""
        return sum(client.refused for client, _ in self.seats)

    def close(self) -> None:
        """Close every socket."""
        for client, _ in self.seats:
            client.close()


@dataclass
class Load:
    """A closed loop: each answer lets the next member send."""

    audience: Audience
    acked: int = 0
    waits_ms: list[float] = field(default_factory=list)
    is_over: bool = False
    in_flight: int = 0

    def begin(self, in_flight: int) -> None:
        """Put so many sends in flight."""
        self._seats = cycle(self.audience.seats)
        for _ in range(in_flight):
            self._send()

    def _send(self) -> None:
        client, conversation_id = next(self._seats)
        body = b'{"conversation_id":"%b","client_message_id":"%b","text":"%b"}' % (
            conversation_id.encode(),
            new_id().encode(),
            TEXT.encode(),
        )
        started = time.perf_counter()

        def answered() -> None:
            self.acked += 1
            self.in_flight -= 1
            self.waits_ms.append((time.perf_counter() - started) * 1000)
            if not self.is_over:
                self._send()

        self.in_flight += 1
        client.send(body, answered)


async def gather_audience(
    registry: Registry, processes: Sequence[ChatProcess]
) -> Audience:
    """Open conversations and sockets, members spread over the processes."""
    seats: list[list[tuple[RawClient, str]]] = []
    for number in range(CONVERSATIONS):
        badges = await registry.admit(MEMBERS)
        home = processes[number % len(processes)]
        group = await registry.open_group(home, badges)
        doors = cycle(processes)
        row = []
        for badge in badges:
            client = await open_client(
                next(doors).socket_url, registry.access_token(badge)
            )
            asked = {"conversation_ids": [group]}
            answer = await client.ask("conversation.subscribe", asked)
            assert not answer["errors"], answer  # type: ignore[index]  # the answer's shape
            row.append((client, group))
        seats.append(row)
    # By turns: neighbours in time are of different conversations.
    return Audience([seat for column in zip(*seats, strict=True) for seat in column])


async def settle(load: Load) -> None:
    """Wait until every send is answered and delivered to everybody."""
    load.is_over = True
    deadline = time.monotonic() + _SETTLE_SECONDS
    audience = load.audience
    while time.monotonic() < deadline:
        due = (load.acked - audience.refused) * MEMBERS
        if not load.in_flight and audience.delivered >= due:
            return
        await asyncio.sleep(0.02)


@dataclass
class Sample:
    """What was done and spent until a moment.

    Reading the metrics costs a process milliseconds: the first sample reads them before
    its counters and the last one behind them, so that no message is charged with it.
    """

    acked: int
    delivered: int
    cpu: dict[str, float]
    busy: float
    at: float
    metrics: list[Mapping[str, float]] = field(default_factory=list)

    @classmethod
    async def first(
        cls, load: Load, processes: Sequence[ChatProcess], servers: dict[str, int]
    ) -> "Sample":
        """Begin to measure: forget what was waited for until now."""
        metrics = await _metrics_of(processes)
        load.waits_ms.clear()
        sample = cls._counted(load, processes, servers)
        sample.metrics = metrics
        return sample

    @classmethod
    async def last(
        cls, load: Load, processes: Sequence[ChatProcess], servers: dict[str, int]
    ) -> "Sample":
        """End what `first` began."""
        sample = cls._counted(load, processes, servers)
        sample.metrics = await _metrics_of(processes)
        return sample

    @classmethod
    def _counted(
        cls, load: Load, processes: Sequence[ChatProcess], servers: dict[str, int]
    ) -> "Sample":
        cpu = {name: cpu_of(pid) for name, pid in servers.items()}
        cpu["chat"] = sum(process.cpu_seconds for process in processes)
        cpu["load"] = cpu_of(os.getpid())
        delivered = load.audience.delivered
        return cls(load.acked, delivered, cpu, busy_seconds(), time.perf_counter())


async def _metrics_of(processes: Sequence[ChatProcess]) -> list[Mapping[str, float]]:
    return [await asyncio.to_thread(process.metrics) for process in processes]


async def measure_level(
    audience: Audience,
    processes: Sequence[ChatProcess],
    servers: dict[str, int],
    in_flight: int,
    seconds: float,
) -> Figures:
    """Load the processes at one level; return its figures."""
    for client, _ in audience.seats:
        client.delivered = client.refused = 0
    load = Load(audience)
    load.begin(in_flight)
    await asyncio.sleep(WARM_SECONDS)
    before = await Sample.first(load, processes, servers)
    await asyncio.sleep(seconds)
    waits_ms = list(load.waits_ms)
    after = await Sample.last(load, processes, servers)
    await settle(load)
    due = (load.acked - audience.refused) * MEMBERS
    return rates_of(before, after) | {
        "ack_p50_ms": statistics.median(waits_ms),
        "ack_p99_ms": percentile(waits_ms, 0.99),
        "refused": audience.refused,
        "not_delivered": due - audience.delivered,
    }


def rates_of(before: Sample, after: Sample) -> Figures:
    """Return rates, CPU a message, and what others took of the machine."""
    elapsed, acked = after.at - before.at, after.acked - before.acked
    spent = {name: after.cpu[name] - before.cpu[name] for name in after.cpu}
    others = after.busy - before.busy - sum(spent.values())
    figures = {
        "acked_per_s": acked / elapsed,
        "deliveries_per_s": (after.delivered - before.delivered) / elapsed,
        "other_cores": max(0.0, others / elapsed),
    }
    figures |= {f"{name}_cpu_us": cpu / acked * 1e6 for name, cpu in spent.items()}
    return figures | stages_of(before.metrics, after.metrics)


def busy_seconds() -> float:
    """Return the CPU seconds that this machine has worked, whoever for."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _wait, irq, soft, stolen = map(int, fields[:8])
    ticks = user + nice + system + irq + soft + stolen
    return ticks / os.sysconf("SC_CLK_TCK")


def stages_of(
    before: Sequence[Mapping[str, float]], after: Sequence[Mapping[str, float]]
) -> Figures:
    """Return mean milliseconds of the writer's stages, and messages a commit."""

    def grown(name: str) -> float:
        return sum(m.get(name, 0) for m in after) - sum(m.get(name, 0) for m in before)

    figures = {}
    for stage in STAGES:
        label = f'{{stage="{stage}"}}'
        seconds = grown(f"chat_writer_stage_seconds_sum{label}")
        count = grown(f"chat_writer_stage_seconds_count{label}")
        figures[f"{stage}_ms"] = seconds / max(1.0, count) * 1000
    commits = max(1.0, grown("chat_writer_batch_messages_count"))
    figures["messages_a_commit"] = grown("chat_writer_batch_messages_sum") / commits
    return figures
