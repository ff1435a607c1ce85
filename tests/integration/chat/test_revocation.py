"""A session that ends loses its sockets, whichever way the news comes."""

import asyncio
import contextlib
import json
import time
from dataclasses import replace

import pytest
from pymongo import AsyncMongoClient

from libs.events.catalog import SessionRevoked
from libs.kernel import SystemClock, new_id
from tests.integration.chat.conftest import ChatProcess
from tests.integration.chat.test_raw_sockets import CLOSE, RawSocket

pytestmark = pytest.mark.integration
PEOPLE = 20
SOCKETS = 200
POLL_SECONDS = 5


async def _closed(member, started, seconds):
    """Return how long after the start a member's socket was gone."""
    while member.socket.connected:
        assert time.monotonic() - started < seconds
        await asyncio.sleep(0.01)
    return time.monotonic() - started


@pytest.fixture(scope="module")
def nodes(processes, auth_process):
    """Three chat processes on one database."""
    third = ChatProcess(auth_process, 2)
    third.start()
    yield [*processes, third]
    third.stop()


class Session:
    """A session with one socket, which is read by as little as it takes."""

    def __init__(self, member, raw) -> None:
        self.member = member
        self.told: list[str] = []
        self.closed_at = 0.0
        self._raw = raw

    @classmethod
    async def open(cls, member, process, group) -> "Session":
        """Connect as a session of its own, and subscribe."""
        own = replace(member, session_id=new_id())
        raw = await RawSocket.open(process)
        await raw.admitted(own)
        ids = {"conversation_ids": [group]}
        event = json.dumps(["conversation.subscribe", ids])
        raw.send(f"421{event}".encode())
        await raw.packet("431")
        return cls(own, raw)

    async def read_to_the_end(self) -> None:
        """Note what comes, and when it is over."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            kind, payload = await self._raw.frame(60)
            while kind != CLOSE:
                self.told.append(payload.decode())
                kind, payload = await self._raw.frame(60)
        self.closed_at = time.monotonic()
        await self._raw.close()


async def test_sr_1_two_hundred_sockets_over_three_nodes_close_within_a_second(
    nodes, people, open_group, auth_bus, tell
) -> None:
    """SR-1: p99 of a second from the commit's begin; nothing comes after the farewell.

    By live events alone: the channel in Redis, which auth tells too, is faster.
    """
    owner, *users = await people(PEOPLE + 1)
    group = await open_group([owner, *users])
    await owner.connect(nodes[0], group)
    sessions: list[Session] = []
    for start in range(0, SOCKETS, len(users)):
        opening = (
            Session.open(user, nodes[(start + number) % len(nodes)], group)
            for number, user in enumerate(users)
        )
        sessions += await asyncio.gather(*opening)
    async with asyncio.TaskGroup() as reading:
        for session in sessions:
            reading.create_task(session.read_to_the_end())
        started = time.monotonic()
        async with auth_bus.transaction() as transaction:
            for session in sessions:
                ended = {
                    "user_id": session.member.user_id,
                    "session_id": session.member.session_id,
                }
                transaction.publish(SessionRevoked(**ended, reason="revoked"))
    took = sorted(session.closed_at - started for session in sessions)
    tell(f"200 sockets closed: half {took[99]:.3f} s, last {took[-1]:.3f} s")
    await owner.send(group, "after")
    await owner.until("message.sent")
    assert len(took) == SOCKETS
    assert took[int(SOCKETS * 0.99) - 1] <= 1
    for session in sessions:
        *_, farewell, end = session.told
        assert farewell.startswith('42["session.revoked"')
        assert end == "41"


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
