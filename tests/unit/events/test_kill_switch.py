"""The kill switch: trips, pauses, probes with one event, opens or stays shut."""

import asyncio
from datetime import timedelta

from libs.events import KillSwitch
from libs.events.consuming.kill_switch import Gate
from tests.support.firing import Watched, assert_fires

PAUSE = 0.05


def tripped():
    """Return a gate that has just tripped."""
    gate = Gate(KillSwitch(0.5, 4, pause=timedelta(seconds=PAUSE)), "chat.reads")
    for is_failure in (False, False, True, True):
        gate.record(is_failure=is_failure)
    return gate


async def test_without_a_policy_it_never_shuts():
    """Failures pass."""
    gate = Gate(None, "chat.reads")
    for _ in range(1000):
        gate.record(is_failure=True)
    await gate.enter()
    assert gate.is_open


async def test_it_trips_at_its_share_of_enough_events():
    """Not before the minimum, not below the ratio."""
    gate = Gate(KillSwitch(0.5, 4), "chat.reads")
    for is_failure in (True, True, True):
        gate.record(is_failure=is_failure)
    assert gate.is_open
    assert not tripped().is_open


async def test_a_pause_is_alerted():
    """Somebody is needed while a subscription takes nothing."""
    watched = Watched("chat", pages=[(0, "")])
    assert not tripped().is_open
    watched.look()
    assert_fires("EventsSubscriptionPaused", watched)


async def test_old_results_leave_the_window():
    """Failures of long ago do not trip it."""
    gate = Gate(KillSwitch(0.5, 4, window=timedelta(0)), "chat.reads")
    for _ in range(10):
        gate.record(is_failure=True)
        await asyncio.sleep(0.001)
    assert gate.is_open


async def test_one_probe_passes_and_its_success_opens():
    """While the probe runs all others wait."""
    gate = tripped()
    passed = []

    async def event(number):
        await gate.enter()
        passed.append(number)

    tasks = [asyncio.create_task(event(number)) for number in range(5)]
    await asyncio.sleep(PAUSE * 2)
    assert passed == [0]
    gate.record(is_failure=False)
    await asyncio.gather(*tasks)
    assert sorted(passed) == [0, 1, 2, 3, 4]
    assert gate.is_open


async def test_a_failed_probe_keeps_it_shut():
    """Then the next event is the next probe, after another pause."""
    gate = tripped()
    await gate.enter()
    gate.record(is_failure=True)
    assert not gate.is_open
    started = asyncio.get_running_loop().time()
    await gate.enter()
    assert asyncio.get_running_loop().time() - started >= PAUSE * 0.9
    gate.record(is_failure=False)
    assert gate.is_open
