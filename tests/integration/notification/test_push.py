"""Pushes that leave through firebase-admin, on the real servers."""

import asyncio
import time
from typing import Any

import pytest
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase

from libs.kernel import new_id
from tests.integration.notification.conftest import (
    TRACE,
    Outside,
    eventually,
    final_state,
    publish,
)
from tests.integration.notification.test_api import Client
from tests.support.stack import RunningStack

pytestmark = pytest.mark.integration


class Pair:
    """Two people in a conversation, the second with a phone."""

    def __init__(self, outside: Outside, ada: str, bob: str, conversation: str) -> None:
        self.outside = outside
        self.ada = ada
        self.bob = bob
        self.conversation = conversation
        self.token = f"device-{new_id()}"

    async def say(self, text: str = "are you there") -> Any:
        """Ada sends something."""
        return await self.outside.say(self.conversation, self.ada, text)


@pytest.fixture
async def pair(service: RunningStack, outside: Outside, address: str) -> Pair:
    """Ada and Bob, projected, with Bob's device registered."""
    ada = await outside.verified("ada-" + address, "Ada")
    bob = await outside.verified(address, "Bob")
    made = Pair(outside, ada, bob, await outside.conversation(ada, bob))
    async with Client(service, bob) as client:
        status, _ = await client.call(
            "POST",
            "/api/v1/devices",
            {"token": made.token, "platform": "android", "name": "Phone"},
        )
        assert status == 201
    await service.wait_mails(address)
    return made


async def test_somebody_offline_gets_a_push_without_the_text(
    service: RunningStack, pair: Pair
) -> None:
    """A push names the sender and carries ids; the text stays here."""
    message = await pair.say("private words")

    [push] = await service.wait_pushes(pair.token)

    assert push["message"]["notification"]["body"] == "New message from Ada"
    assert push["message"]["data"]["message_id"] == message.message_id
    assert push["message"]["data"]["trace_id"] == TRACE
    assert "private words" not in str(push)


async def test_an_event_that_comes_twice_pushes_once(
    service: RunningStack, pair: Pair
) -> None:
    """Redelivery of the same event makes no second push."""
    event, event_id = pair.outside.sent(pair.conversation, pair.ada, "once")
    await publish(pair.outside.chat, event, event_id)
    await service.wait_pushes(pair.token)
    await sent_off(service, event_id)

    await publish(pair.outside.chat, event, event_id)

    await asyncio.sleep(2)
    assert len(service.pushes(pair.token)) == 1


async def sent_off(service: RunningStack, event_id: str) -> None:
    """Wait until the event is no longer in chat's outbox: its id is free again."""
    async with AsyncMongoClient(service.admin_mongo_url) as client:
        outbox = client["parley_chat"]["outbox"]

        async def is_gone() -> bool:
            return await outbox.count_documents({"_id": event_id}) == 0

        await eventually(is_gone)


async def test_somebody_online_who_reads_gets_no_push(
    service: RunningStack, pair: Pair
) -> None:
    """Reading within the grace cancels the push."""
    await pair.outside.present(pair.bob, "online")
    await asyncio.sleep(0.5)

    message = await pair.say()
    await pair.outside.read(pair.conversation, pair.bob, message.seq)

    await asyncio.sleep(3.5)
    assert service.pushes(pair.token) == []


async def test_a_dead_token_is_removed_at_once(
    service: RunningStack,
    pair: Pair,
    database: AsyncDatabase[dict[str, Any]],
) -> None:
    """The first UNREGISTERED removes the device: the next message makes no call."""
    service.push_behaviour(token=pair.token, failure="UNREGISTERED", count=1)
    await pair.say()

    failed = await final_state(database, user_id=pair.bob, channel="push")
    assert failed["reason"] == "fcm_unregistered"
    assert await database["devices"].find_one({"user_id": pair.bob}) is None
    await pair.say("still there?")

    await asyncio.sleep(2)
    assert service.pushes(pair.token) == []


@pytest.mark.parametrize("failure", ["QUOTA_EXCEEDED", "UNAVAILABLE"])
async def test_retry_after_is_honoured(
    service: RunningStack, pair: Pair, failure: str
) -> None:
    """Nothing is sent before the provider's Retry-After, then one push is."""
    service.push_behaviour(
        token=pair.token, failure=failure, count=1, retry_after_seconds=4
    )
    begun = time.monotonic()
    await pair.say()

    pushes = await service.wait_pushes(pair.token)

    assert time.monotonic() - begun >= 4
    assert len(pushes) == 1


async def test_a_malformed_push_is_never_repeated(
    service: RunningStack,
    pair: Pair,
    database: AsyncDatabase[dict[str, Any]],
) -> None:
    """A 400 is final; the device stays."""
    service.push_behaviour(token=pair.token, failure="INVALID_ARGUMENT", count=1)
    await pair.say()

    failed = await final_state(database, user_id=pair.bob, channel="push")
    assert failed["reason"] == "fcm_invalid_argument"
    assert service.pushes(pair.token) == []


async def test_a_removed_member_gets_nothing(service: RunningStack, pair: Pair) -> None:
    """What is sent after a removal reaches the former member on no way."""
    await pair.outside.removed(pair.conversation, pair.bob)

    await pair.say()

    await asyncio.sleep(3)
    assert service.pushes(pair.token) == []
