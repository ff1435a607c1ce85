"""Events of conversations that come together share a transaction, not their fate."""

from datetime import timedelta
from typing import Any

from libs.crypto import FieldSealer, KeyRing
from libs.events import Event
from libs.events.catalog import ConversationRead, MessageDeleted
from libs.events.tracing import Cause, caused_by
from libs.kernel import EventId, UserId, new_id
from tests.unit.notification.conftest import House
from tests.unit.notification.test_consumers import listed, pair, replace_content


async def take_together(
    house: House, *events: tuple[Event, EventId | None], traces: bool = False
) -> None:
    """Publish events in one frame and wait until all are handled."""
    async with house.bus.transaction() as transaction:
        for number, (event, event_id) in enumerate(events, 1):
            traceparent = f"00-{number:032x}-00f067aa0ba902b7-01" if traces else None
            with caused_by(Cause(f"action-{number}", None, traceparent)):
                transaction.publish(event, event_id=event_id)
    await house.bus.settled()


async def test_messages_of_a_batch_are_each_told(house: House) -> None:
    """One entry and one push a message, one mail for all, each once."""
    ada, bob, conversation = await pair(house)
    events = [
        house.message(conversation, ada, seq, body=f'{{"text":"words {seq}"}}')
        for seq in (1, 2, 3)
    ]

    await take_together(house, *events)
    await take_together(house, *events)
    await house.tick()
    await house.tick(60)

    assert [entry.text for entry in await listed(house, bob)] == [
        "words 3",
        "words 2",
        "words 1",
    ]
    assert len(house.push.sent) == 3
    [mail] = house.mail.sent
    assert all(f"words {seq}" in mail.text for seq in (1, 2, 3))


async def test_each_message_of_a_batch_keeps_its_trace(house: House) -> None:
    """Push and mail carry the trace of the message that caused them."""
    ada, _, conversation = await pair(house)
    events = [house.message(conversation, ada, seq) for seq in (1, 2)]

    await take_together(house, *events, traces=True)
    await house.tick()
    await house.tick(60)

    traces = sorted(push.data["trace_id"] for push in house.push.sent)
    assert traces == [f"{number:032x}" for number in (1, 2)]
    [mail] = house.mail.sent
    assert mail.trace_id == f"{1:032x}"
    causes = {
        (row.delivery.origin.event_id, row.delivery.origin.correlation_id)
        for row in house.deliveries.rows.values()
        if row.delivery.channel == "push"
    }
    assert causes == {(events[0][1], "action-1"), (events[1][1], "action-2")}


async def test_one_that_cannot_be_opened_fails_alone(house: House) -> None:
    """It becomes a dead letter; its neighbours are told of."""
    ada, bob, conversation = await pair(house)
    first, bad, last = (house.message(conversation, ada, seq) for seq in (1, 2, 3))
    foreign = FieldSealer(KeyRing.generate()).seal("x", "y")

    await take_together(house, first, (replace_content(bad[0], foreign), bad[1]), last)

    seqs = [entry.notification.seq for entry in await listed(house, bob)]
    assert seqs == [3, 1]
    await house.bus.advance(timedelta(hours=1))
    assert len(house.bus.dead_letters("notification", "conversations")) == 1


async def test_one_of_an_unknown_conversation_waits_alone(house: House) -> None:
    """The others are not tried again with it."""
    ada, bob, conversation = await pair(house)
    house.bus._has_immediate_tiers = False

    await take_together(
        house,
        house.message(new_id(), ada, 1),
        house.message(conversation, ada, 1),
    )
    await house.tick()

    assert len(await listed(house, bob)) == 1
    assert len(house.push.sent) == 1
    assert house.bus.dead_letters("notification", "conversations") == []


async def test_an_answer_in_the_same_batch_reads_what_came_before(
    house: House,
) -> None:
    """Also what is sent late: it has a lower sequence than the answer."""
    ada, bob, conversation = await pair(house)

    await take_together(
        house,
        house.message(conversation, ada, 1),
        house.message(conversation, bob, 3),
        house.message(conversation, ada, 2),
        house.message(conversation, ada, 4),
    )

    entries = await listed(house, bob)
    assert {(e.notification.seq, e.notification.is_read) for e in entries} == {
        (4, False),
        (1, True),
    }
    await house.tick()
    await house.tick(60)
    to_bob = [push for push in house.push.sent if push.token == "token-of-Bob"]
    assert len(to_bob) == 1


async def test_kinds_of_events_keep_their_order_in_a_batch(house: House) -> None:
    """A message, its deletion, another one, and how far the reader got."""
    ada, bob, conversation = await pair(house)
    first, second, third = (house.message(conversation, ada, seq) for seq in (1, 2, 3))
    deleted = MessageDeleted(
        conversation_id=conversation,
        message_id=first[0].message_id,
        seq=1,
        revision=9,
        deleted_by=ada,
    )

    def read(user_id: UserId, seq: int) -> tuple[Event, None]:
        about: dict[str, Any] = {"conversation_id": conversation, "user_id": user_id}
        return ConversationRead(**about, read_seq=seq), None

    await take_together(
        house, first, (deleted, None), second, read(bob, 2), read(bob, 1), third
    )

    entries = await listed(house, bob)
    assert {(e.notification.seq, e.notification.is_read) for e in entries} == {
        (2, True),
        (3, False),
    }
