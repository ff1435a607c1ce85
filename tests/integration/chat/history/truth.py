"""Reads what the server has, and what it issued, once all is quiet."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import aio_pika

from tests.integration.chat.conftest import ChatProcess, Member
from tests.integration.chat.history.checker import Truth

EXCHANGES = ("message.events", "conversation.events")
_QUIET_SECONDS = 2


class Issued:
    """A durable queue that keeps every event of conversations, whatever dies."""

    def __init__(self, amqp_url: str, name: str) -> None:
        self._url = amqp_url
        self._name = name
        self._events: dict[str, list[tuple[int, str, str]]] = {}

    @contextlib.asynccontextmanager
    async def collecting(self) -> AsyncIterator[None]:
        """Declare the queue for the block, and remove it after it."""
        async with await aio_pika.connect(self._url, timeout=10) as connection:
            channel = await connection.channel()
            queue = await channel.declare_queue(
                self._name, durable=True, arguments={"x-queue-type": "quorum"}
            )
            for exchange in EXCHANGES:
                await queue.bind(exchange, "#")
        try:
            yield
        finally:
            async with await aio_pika.connect(self._url, timeout=10) as connection:
                channel = await connection.channel()
                await channel.queue_delete(self._name)

    async def until(
        self, conversation_id: str, revision: int, quiet_seconds: float
    ) -> None:
        """Read until an event of this revision has come, or nothing for too long."""
        async with await aio_pika.connect(self._url, timeout=10) as connection:
            channel = await connection.channel()
            queue = await channel.get_queue(self._name)
            quiet = 0.0
            while quiet < _QUIET_SECONDS or not self._has(conversation_id, revision):
                if quiet > quiet_seconds:
                    return
                frame = await queue.get(fail=False)
                if frame is None:
                    quiet += 0.1
                    await asyncio.sleep(0.1)
                    continue
                quiet = 0.0
                for event in json.loads(frame.body):
                    self._keep(event)
                await frame.ack()

    def of(self, conversation_id: str) -> list[tuple[int, str, str]]:
        """Return (revision, event id, object) of a conversation's events."""
        return self._events.get(conversation_id, [])

    def _has(self, conversation_id: str, revision: int) -> bool:
        return any(r >= revision for r, _, _ in self.of(conversation_id))

    def _keep(self, event: dict[str, Any]) -> None:
        if event.get("sequence") is None:
            return
        revision = int(event["sequence"])
        item = (revision, event["id"], _object_of(event))
        self._events.setdefault(event["data"]["conversation_id"], []).append(item)


def _object_of(event: dict[str, Any]) -> str:
    """Name what the event changed; a removal by the user with a minus."""
    data = event["data"]
    if event["type"] == "conversation.member_removed":
        return f"-{data['user_id']}"
    if event["type"].startswith("conversation.member"):
        return str(data["user_id"])
    return str(data.get("message_id", "conversation"))


async def read_truth(
    process: ChatProcess, members: list[Member], conversation_id: str, issued: Issued
) -> Truth:
    """Read a conversation as each of its members does."""
    first = members[0]
    status, conversation = await first.ask(process, "GET", f"/{conversation_id}")
    assert status == 200, conversation
    await issued.until(conversation_id, conversation["revision"], 60)
    unread = {}
    for member in members:
        _, own = await member.ask(process, "GET", f"/{conversation_id}")
        unread[str(member.user_id)] = (own["unread"], own["read_seq"])
    return Truth(
        conversation_id=conversation_id,
        readings={
            str(member.user_id): await _messages(process, member, conversation_id)
            for member in members
        },
        members=await _members(process, first, conversation_id),
        conversation=conversation,
        issued=issued.of(conversation_id),
        unread=unread,
    )


async def _messages(
    process: ChatProcess, member: Member, conversation_id: str
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after, has_more = 0, True
    while has_more:
        path = f"/{conversation_id}/messages?after={after}&limit=200"
        status, page = await member.ask(process, "GET", path)
        assert status == 200, page
        found += page["items"]
        has_more = page["has_more"]
        after = found[-1]["seq"] if found else 0
    return found


async def _members(
    process: ChatProcess, member: Member, conversation_id: str
) -> dict[str, str]:
    found: dict[str, str] = {}
    cursor = ""
    while True:
        path = f"/{conversation_id}/members?limit=200{cursor}"
        status, page = await member.ask(process, "GET", path)
        assert status == 200, page
        found |= {item["user_id"]: item["role"] for item in page["items"]}
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"
