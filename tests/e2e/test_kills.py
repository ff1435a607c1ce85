"""Acceptance 3: kill -9 while messages flow loses, doubles and reorders nothing."""

import asyncio
import contextlib
import time
from collections import Counter

import pytest

from scripts.demo.house import wait_for
from tests.e2e.conftest import house_of
from tests.e2e.flow import Reader, Sender, check, findings, history
from tests.support import fault_counts, total_queue

pytestmark = [pytest.mark.e2e, pytest.mark.faults, pytest.mark.timeout(300)]

MESSAGES = 80
PAUSE_SECONDS = 0.05
VICTIMS = ("chat", "notification", "rabbitmq")


def phase_of(victim: str) -> str:
    """Name the phase as it is counted."""
    return f"{fault_counts.EDGE}{victim} killed with -9"


RUNS = [
    (victim, run)
    for victim in VICTIMS
    for run in range(fault_counts.left(phase_of(victim)))
]


@pytest.fixture
def begun(house, victim) -> float:
    """Skip a run for which no time is left; return when it began."""
    if not fault_counts.is_time_left(phase_of(victim)):
        pytest.skip(f"no time left for {phase_of(victim)}")
    return time.monotonic()


@pytest.mark.parametrize(("victim", "run"), RUNS)
async def test_kill_loses_nothing(
    begun, neighbours, house, *, victim, run, tell
) -> None:
    """Every acked message is stored once, read by the other, and pushed once."""
    group = neighbours.names["group"]
    ada, grace = neighbours.ada, neighbours.grace
    phone = f"phone-{victim}-{run}-{grace.user_id}-{time.time_ns()}"
    before = len(await history(ada, group))
    await grace.call(
        "POST", "devices", {"token": phone, "platform": "android", "name": "phone"}
    )
    sender = Sender(ada, group)
    await ada.come_online(group)
    flow = asyncio.create_task(sender.run(MESSAGES, PAUSE_SECONDS))
    await asyncio.sleep(1.5)
    killed = house.pid(victim)
    house.kill(victim)
    await flow
    await asyncio.to_thread(house.wait_ready, victim, 60)
    assert house.pid(victim) != killed

    reader = Reader(grace, group)
    following = asyncio.create_task(reader.run())
    await wait_for(
        lambda: _all_read(reader, before + MESSAGES), "every message at the reader", 30
    )
    following.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await following
    stored = [m for m in await history(ada, group) if m["client_message_id"]]
    await _pushed_once(house, phone, {m["message_id"] for m in stored}, victim)
    effects = [message["client_message_id"] for message in stored]
    checked = total_queue.check(
        sender.texts, sender.acked, effects, {group: list(reader.seen)}
    )
    seconds = time.monotonic() - begun
    fault_counts.add(phase_of(victim), [checked], seconds)
    tell(f"{fault_counts.progress(phase_of(victim))}: {checked} in {seconds:.1f} s")
    assert len(sender.acked) == MESSAGES
    assert checked.is_good, checked
    assert check(sender, reader, stored) == {}


@pytest.mark.parametrize("victim", VICTIMS)
async def test_live_delivery_survives_a_kill(neighbours, house, stack, victim) -> None:
    """A reader who stays connected has every message, by the socket or by sync."""
    group = neighbours.names["group"]
    sender = Sender(neighbours.ada, group)
    reader = Reader(neighbours.grace, group)
    await neighbours.ada.come_online(group)
    following = asyncio.create_task(reader.run())
    flow = asyncio.create_task(sender.run(MESSAGES // 2, PAUSE_SECONDS))
    await asyncio.sleep(1)
    house.kill(victim)
    await flow
    await asyncio.to_thread(house.wait_ready, victim, 60)
    await wait_for(
        lambda: _all_read(reader, MESSAGES // 2), "every message at the reader", 30
    )
    following.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await following
    stored = [m for m in await history(neighbours.ada, group) if m["client_message_id"]]
    assert check(sender, reader, stored) == {}
    assert reader.live_count > 0
    assert await asyncio.to_thread(findings, stack, group) == {}


async def _all_read(reader: Reader, count: int) -> bool:
    return len(reader.seen) >= count


async def _pushed_once(house, phone: str, message_ids: set[str], victim: str) -> None:
    """H7: one push a message and device; two only where an answer was lost."""
    view = house_of(house)

    async def counted() -> Counter[str] | None:
        sent = await view.pushes_to(phone)
        counts = Counter(push["message"]["data"]["message_id"] for push in sent)
        return counts if set(counts) >= message_ids else None

    counts = await wait_for(counted, "a push for every message", 150, 0.5)
    allowed = 2 if victim == "notification" else 1
    assert set(counts) == message_ids
    assert max(counts.values()) <= allowed
    assert sum(count - 1 for count in counts.values()) <= allowed - 1 or (
        victim == "notification"
    )
