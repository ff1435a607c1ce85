"""Ten thousand wrong frames and events: nobody ends the process, or fills it."""

import asyncio
import contextlib
import json
import re
from pathlib import Path

import psutil
import pytest

from tests.integration.chat.fuzz_cases import Fuzzer, Known
from tests.integration.chat.test_raw_sockets import CLOSE, TEXT, RawSocket

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

SEED = 20_261_122
WARM_SESSIONS = 30
SESSIONS = 170
EVENTS = 55
ANONYMOUS = 500
AT_ONCE = 24  # most of a session is waiting whether the server closes it
GROWTH_BYTES = 20_000_000
_ACK = re.compile(rb"43(\d+)\[")
_ENDED = (asyncio.IncompleteReadError, ConnectionError, TimeoutError)


class Tally:
    """What was written and what came back."""

    def __init__(self) -> None:
        self.frames = 0
        self.answered = 0
        self.codes: set[str] = set()


async def events_session(process, member, fuzzer: Fuzzer, tally: Tally) -> None:
    """Send events as an admitted client; each is answered once. Then junk."""
    raw = await RawSocket.open(process)
    try:
        await raw.admitted(member)
        for ack_id in range(1, EVENTS + 1):
            raw.send(fuzzer.event(ack_id))
            tally.frames += 1
        asked = set(range(1, EVENTS + 1))
        while asked:
            kind, payload = await raw.frame(seconds=20)
            assert kind == TEXT, (kind, payload)
            found = _ACK.match(payload)
            if found:
                asked.remove(int(found[1]))
                tally.answered += 1
                note_code(payload, tally)
        await junk(raw, fuzzer, tally, [fuzzer.packet() for _ in range(3)])
    finally:
        await raw.close()


def note_code(payload: bytes, tally: Tally) -> None:
    """Remember the code of an error; a bug of ours would be ``internal``."""
    answer = json.loads(payload[payload.index(b"[") :])[0]
    if isinstance(answer, dict) and "error" in answer:
        tally.codes.add(answer["error"]["code"])


async def anonymous_session(process, fuzzer: Fuzzer, tally: Tally) -> None:
    """Write packets and wrong frames without ever showing a token."""
    raw = await RawSocket.open(process)
    try:
        await junk(raw, fuzzer, tally, [fuzzer.packet()])
        with contextlib.suppress(ConnectionError):
            raw._writer.write(fuzzer.frame())
            tally.frames += 1
            await raw._writer.drain()
    finally:
        await raw.close()


async def junk(raw: RawSocket, fuzzer: Fuzzer, tally: Tally, packets) -> None:
    """Write packets until the server closes, as it may after any of them."""
    with contextlib.suppress(*_ENDED):
        for packet in packets:
            raw.send(packet)
            tally.frames += 1
        raw._writer.write(fuzzer.frame())
        tally.frames += 1
        while (await raw.frame(seconds=0.3))[0] != CLOSE:
            pass


async def in_turns(sessions) -> None:
    """Run sessions, some at a time."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(session) -> None:
        async with turns:
            await session

    async with asyncio.TaskGroup() as tasks:
        for session in sessions:
            tasks.create_task(one(session))


async def rested_rss(process) -> int:
    """Return the resident memory once the process has nothing more to do."""
    running, before = psutil.Process(process.pid), -1.0
    while (now := sum(running.cpu_times()[:2])) - before > 0.02:
        before = now
        await asyncio.sleep(0.3)
    return int(running.memory_info().rss)


async def test_ten_thousand_wrong_frames_hurt_nothing(
    processes, people, open_group
) -> None:
    """FZ-1: the process lives, answers every event once, and keeps nothing of it."""
    process = processes[0]
    members = await people(12)
    group = await open_group(members)
    fuzzer = Fuzzer(SEED, Known((group,), tuple(m.user_id for m in members)))
    tally = Tally()

    def sessions(count: int):
        return (
            events_session(process, members[n % len(members)], fuzzer, tally)
            for n in range(count)
        )

    await in_turns(sessions(WARM_SESSIONS))
    before, pid = await rested_rss(process), process.pid
    await in_turns(sessions(SESSIONS))
    await in_turns(anonymous_session(process, fuzzer, tally) for _ in range(ANONYMOUS))
    grown = await rested_rss(process) - before
    assert tally.frames >= 10_000
    assert tally.answered == (WARM_SESSIONS + SESSIONS) * EVENTS
    assert "internal" not in tally.codes, log_errors(process)
    assert {"payload_invalid", "event_unknown"} <= tally.codes
    assert process.pid == pid
    assert process.is_running()
    assert grown <= GROWTH_BYTES
    await still_serves(process, members[0], members[1], group)


def log_errors(process) -> list[str]:
    """Return the errors that the process logged."""
    lines = Path(process.log).read_text(encoding="utf-8").splitlines()
    return [line[:2_000] for line in lines if '"level":"error"' in line]


async def still_serves(process, ada, grace, group: str) -> None:
    """Two people talk as if nothing had been."""
    for member in (ada, grace):
        answer = await member.connect(process, group)
        assert not answer["errors"]
    answer = await ada.send(group, "still here")
    assert answer["message"]["text"] == "still here"
    async with asyncio.timeout(10):
        while answer not in grace.live["message.sent"]:  # noqa: ASYNC110 - a socket's
            await asyncio.sleep(0.02)
