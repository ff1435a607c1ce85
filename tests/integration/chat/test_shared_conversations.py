"""Two processes share the conversations: forwarded, followed, handed over."""

import asyncio
import contextlib
import os
import signal
import time
import urllib.request

import pytest
import socketio

from libs.kernel import new_id
from services.chat.ports.partitions import PARTITIONS
from tests.support.firing import Watched, assert_fires, look_at, samples_of

pytestmark = pytest.mark.integration
LOST = (socketio.exceptions.SocketIOError, ConnectionError, TimeoutError)
GROUPS = 12
OWNED = "chat_writer_partitions_owned"


def metric(process, name: str) -> float:
    """Return one number of a process's metrics, 0 where it has none yet."""
    url = f"{process.url}/metrics"
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own process
        for line in answer.read().decode().splitlines():
            if line.startswith(f"{name} "):
                return float(line.rpartition(" ")[2])
    return 0.0


def forwarded(process, outcome: str = "stored") -> float:
    """Return how many messages a process passed on."""
    name = f'chat_writer_forwarded_messages_total{{outcome="{outcome}"}}'
    return metric(process, name)


def passed_over(process) -> float:
    """Return how many messages the broker brought that were delivered already."""
    with urllib.request.urlopen(f"{process.url}/metrics", timeout=5) as answer:  # noqa: S310 - our own process
        lines = answer.read().decode().splitlines()
    found = [one for one in lines if one.startswith("events_handled_total{")]
    return sum(
        float(one.rpartition(" ")[2])
        for one in found
        if 'outcome="unwanted"' in one and 'type="message.sent"' in one
    )


def owned(process) -> float:
    """Return how many partitions a process leases."""
    return metric(process, OWNED)


async def until_shared(processes) -> None:
    """Wait until both have their part and all is owned."""
    async with asyncio.timeout(20):
        while True:
            parts = [await asyncio.to_thread(owned, process) for process in processes]
            if sum(parts) == PARTITIONS and min(parts) > 0:
                return
            await asyncio.sleep(0.1)


async def until_owns_all(process) -> None:
    """Wait until one process has taken over."""
    async with asyncio.timeout(20):
        while await asyncio.to_thread(owned, process) < PARTITIONS:  # noqa: ASYNC110 - another process's
            await asyncio.sleep(0.1)


async def until_passed_over(process, count: float) -> None:
    """Wait until the broker brought so many messages in vain."""
    async with asyncio.timeout(10):
        while await asyncio.to_thread(passed_over, process) < count:  # noqa: ASYNC110 - another process's
            await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
def alone(auth_process):
    """No third process takes a part: the stack's own is stopped meanwhile."""
    programs = auth_process.status()["programs"]
    runs = any(known["name"] == "chat" and known["pid"] for known in programs)
    if runs:
        auth_process.stop("chat")
    yield
    if runs:
        auth_process.start("chat")


@pytest.fixture
async def shared(alone, processes, people, open_group):
    """Ada on the first process with some groups of hers, and both processes."""
    await until_shared(processes)
    ada, grace = await people(2)
    groups = [await open_group([ada, grace]) for _ in range(GROUPS)]
    await ada.connect(processes[0], *groups)
    await grace.connect(processes[1], *groups)
    return ada, grace, groups


async def texts(member, process, group: str) -> list[tuple[int, str]]:
    """Return seq and text of a conversation's first 200 messages."""
    status, page = await member.ask(
        process, "GET", f"/{group}/messages?after=0&limit=200"
    )
    assert status == 200, page
    return [(message["seq"], message["text"]) for message in page["items"]]


async def send_round(members, groups, text: str) -> None:
    """Let each member send to each group, one member after the other."""
    for person in members:
        answers = await asyncio.gather(*(person.send(group, text) for group in groups))
        assert all("message" in answer for answer in answers), answers


async def send_until_passed_on(processes, members, groups) -> int:
    """Send rounds, five at least, until one is passed on whole; return how many.

    A message is written where it arrives as long as no link is open: processes look
    once a second whom they should have one to.
    """
    rounds = 0
    async with asyncio.timeout(20):
        while True:
            before = sum(forwarded(process) for process in processes)
            await send_round(members, groups, f"{rounds}")
            rounds += 1
            passed_on = sum(forwarded(process) for process in processes) - before
            if rounds >= 5 and passed_on == len(groups):
                return rounds
            await asyncio.sleep(0.1)


async def test_messages_go_to_the_one_that_writes(processes, shared) -> None:
    """From both sides, in order, and everybody sees them in order."""
    ada, grace, groups = shared
    before = [forwarded(process) for process in processes]
    passed_before = [passed_over(process) for process in processes]
    rounds = await send_until_passed_on(processes, (ada, grace), groups)
    after = [forwarded(process) for process in processes]
    # Every conversation is foreign to one of the two.
    assert sum(after) - sum(before) <= rounds * GROUPS
    expected = list(range(1, 2 * rounds + 1))
    for group in groups:
        stored = await texts(ada, processes[0], group)
        assert [seq for seq, _ in stored] == expected
    live = await ada.until("message.sent", 2 * rounds * GROUPS)
    seqs: dict[str, list[int]] = {}
    for event in live:
        seqs.setdefault(event["conversation_id"], []).append(event["message"]["seq"])
    assert all(found == expected for found in seqs.values())
    # Both told each other: what the broker brings is mostly known.
    for process, known in zip(processes, passed_before, strict=True):
        await until_passed_over(process, known + 5 * GROUPS)


async def test_a_refusal_of_the_owner_reaches_the_sender(
    processes, people, shared
) -> None:
    """With its code, from whichever process."""
    _, _, groups = shared
    (mallory,) = await people(1)
    for process in processes:
        await mallory.connect(process)
        for group in groups[:4]:
            answer = await mallory.send(group, "hello")
            assert answer["error"]["code"] == "conversation_not_found"


async def send_on(person, groups, acked: dict[str, list[int]], ended) -> None:
    """Send to all groups in turn until told to end; repeat what was not answered."""
    number = 0
    while not ended.is_set():
        for group in groups:
            key, answer = new_id(), {}
            while "message" not in answer:
                with contextlib.suppress(*LOST):
                    answer = await person.send(group, f"{number}", key)
            acked.setdefault(group, []).append(answer["message"]["seq"])
        number += 1


async def while_sending(shared, fault) -> dict[str, list[int]]:
    """Run a fault while Ada sends; return the seqs that were acknowledged."""
    ada, _, groups = shared
    acked: dict[str, list[int]] = {}
    ended = asyncio.Event()
    sending = asyncio.create_task(send_on(ada, groups, acked, ended))
    await asyncio.sleep(0.3)
    await fault()
    ended.set()
    async with asyncio.timeout(30):
        await sending
    return acked


async def look_while_all_is_owned(watched: list[Watched]) -> None:
    """Read the pages of peace, in which no partition is handed over."""
    async with asyncio.timeout(20):
        while True:
            await look_at(*watched)
            pages = [samples_of(one.pages[-1][1], {}) for one in watched]
            if sum(page[f"{OWNED}{{}}"].value for page in pages) == PARTITIONS:
                return
            for one in watched:
                one.pages.clear()
            await asyncio.sleep(0.1)


async def check(shared, process, acked: dict[str, list[int]]) -> None:
    """What was acknowledged is there once, without a gap."""
    ada, _, groups = shared
    for group in groups:
        assert acked[group] == list(range(1, len(acked[group]) + 1))
        stored = await texts(ada, process, group)
        count = min(200, len(acked[group]))
        assert [seq for seq, _ in stored] == list(range(1, count + 1))


async def test_a_killed_owner_is_followed(processes, shared) -> None:
    """Kill -9: its conversations go on at once, and are leased anew."""
    survivor, dying = processes
    watched = [Watched("chat", f"{process.url}/metrics") for process in processes]
    await look_while_all_is_owned(watched)

    async def fault() -> None:
        await asyncio.to_thread(dying.kill)
        await look_at(*watched)  # before the leases run out
        await until_owns_all(survivor)

    lost = forwarded(survivor, "lost")
    try:
        acked = await while_sending(shared, fault)
    finally:
        await asyncio.to_thread(dying.start)
    await check(shared, survivor, acked)
    assert forwarded(survivor, "lost") >= lost
    assert_fires("ServiceDown", *watched)
    assert_fires("ChatPartitionsUnowned", *watched)
    await until_shared(processes)


async def test_a_drained_process_hands_over(processes, shared) -> None:
    """SIGTERM: the leases are released, nobody waits until they run out."""
    survivor, leaving = processes

    async def fault() -> None:
        await asyncio.to_thread(leaving.stop)
        started = time.monotonic()
        await until_owns_all(survivor)
        assert time.monotonic() - started < 3

    try:
        acked = await while_sending(shared, fault)
    finally:
        await asyncio.to_thread(leaving.start)
    await check(shared, survivor, acked)
    await until_shared(processes)


async def test_an_owner_that_hangs_holds_nobody_up_for_long(processes, shared) -> None:
    """SIGSTOP: after some seconds others write, and its return doubles nothing."""
    survivor, hanging = processes

    async def fault() -> None:
        os.kill(hanging.pid, signal.SIGSTOP)
        try:
            await until_owns_all(survivor)
        finally:
            os.kill(hanging.pid, signal.SIGCONT)

    acked = await while_sending(shared, fault)
    await check(shared, survivor, acked)
    await until_shared(processes)
    _, grace, groups = shared
    with contextlib.suppress(*LOST):  # a hanging process may have lost its sockets
        await grace.connect(hanging, *groups)
    answer = await grace.send(groups[0], "back")
    assert answer["message"]["seq"] == len(acked[groups[0]]) + 1
