"""Messages that wait for their time are sent once, or kept with the reason."""

from datetime import timedelta

import pytest

from libs.events.catalog import MessageScheduleFailed
from libs.kernel import UnavailableError
from services.chat.domain.errors import (
    ConversationNotFoundError,
    DraftInvalidError,
    ScheduledIsSendingError,
    ScheduledNotFoundError,
)
from services.chat.domain.limits import Limits
from services.chat.domain.scheduled import ScheduledState
from services.chat.service.scheduling import LEASE
from tests.unit.chat.support import ADA, GRACE, MALLORY, Chat, draft

HOUR = timedelta(hours=1)


@pytest.fixture
async def chat():
    """A chat whose writer runs."""
    chat = Chat()
    async with chat.writer.running():
        yield chat


async def later(chat, group, who=ADA, text="later", after=HOUR):
    """Schedule a message."""
    due_at = chat.clock.now() + after
    return await chat.scheduling.schedule(draft(group, who, text), due_at)


async def texts(chat, group) -> list[str | None]:
    """Return what was said."""
    page = await chat.messages.page(ADA, group, limit=50)
    return [message.text for message in page.messages]


async def test_it_is_sent_at_its_time(chat) -> None:
    """Not before, once, and then it is a message like any other."""
    group = await chat.group()
    scheduled = await later(chat, group)
    assert not await chat.sender.send_one()
    chat.clock.advance(HOUR)
    assert await chat.sender.send_one()
    assert not await chat.sender.send_one()
    (message,) = (await chat.messages.page(ADA, group, limit=5)).messages
    assert (message.text, message.client_message_id) == (
        "later",
        scheduled.scheduled_id,
    )
    assert not chat.scheduled_store.scheduled


async def test_a_sender_that_died_half_way_sends_nothing_twice(chat) -> None:
    """Sent, but not said so: the next one finds the message."""
    group = await chat.group()
    await later(chat, group)
    chat.clock.advance(HOUR)
    claimed = await chat.scheduled_store.claim(chat.clock.now(), LEASE)
    await chat.messages.send(claimed.draft)  # and here it died
    assert not await chat.sender.send_one()
    chat.clock.advance(LEASE)
    assert await chat.sender.send_one()
    assert await texts(chat, group) == ["later"]
    assert not chat.scheduled_store.scheduled


async def test_rights_count_when_it_is_sent(chat) -> None:
    """It fails, is kept with its code, and the user is told; then it may be mended."""
    group = await chat.group(GRACE)
    scheduled = await later(chat, group, GRACE)
    await chat.members.remove(ADA, group, GRACE)
    chat.clock.advance(HOUR)
    assert await chat.sender.send_one()
    assert not await chat.sender.send_one()
    (event,) = chat.bus.published_of(MessageScheduleFailed)
    assert (event.user_id, event.code) == (GRACE, "conversation_not_found")
    (kept,), _ = await chat.scheduling.page(GRACE, after=None, limit=5)
    assert (kept.state, kept.code) == (ScheduledState.FAILED, event.code)
    with pytest.raises(ConversationNotFoundError):
        await chat.scheduling.change(
            GRACE, scheduled.scheduled_id, due_at=chat.clock.now() + HOUR
        )


async def test_what_is_away_is_waited_for(chat) -> None:
    """A database or writer that does not take it now is no failure."""
    group = await chat.group()
    await later(chat, group)
    chat.clock.advance(HOUR)
    send, chat.messages.send = chat.messages.send, busy
    assert await chat.sender.send_one()
    chat.messages.send = send
    assert not await chat.sender.send_one()
    chat.clock.advance(timedelta(seconds=5))
    assert await chat.sender.send_one()
    assert await texts(chat, group) == ["later"]


async def busy(_draft):
    """Refuse for now."""
    raise UnavailableError("writer_busy", "Too many messages wait.")


async def test_they_are_listed_changed_and_cancelled(chat) -> None:
    """The next first; only one's own; a failed one that is mended waits again."""
    group = await chat.group(GRACE)
    made = [
        await later(chat, group, text=f"{hours}", after=hours * HOUR)
        for hours in (3, 1, 2)
    ]
    shown, after = [], None
    while True:
        page, after = await chat.scheduling.page(ADA, after=after, limit=1)
        shown += [one.draft.text for one in page]
        if after is None:
            break
    assert shown == ["1", "2", "3"]
    ids = [one.scheduled_id for one in made]
    await chat.scheduling.change(ADA, ids[0], text="now 30 minutes", due_at=soon(chat))
    await chat.scheduling.cancel(ADA, ids[1])
    with pytest.raises(ScheduledNotFoundError):
        await chat.scheduling.cancel(GRACE, ids[2])
    chat.clock.advance(HOUR)
    while await chat.sender.send_one():
        pass
    assert await texts(chat, group) == ["now 30 minutes"]


def soon(chat):
    """Return a time in half an hour."""
    return chat.clock.now() + HOUR / 2


async def test_what_is_being_sent_is_changed_no_more(chat) -> None:
    """Else a message could be both cancelled and sent."""
    group = await chat.group()
    scheduled = await later(chat, group)
    chat.clock.advance(HOUR)
    await chat.scheduled_store.claim(chat.clock.now(), LEASE)
    with pytest.raises(ScheduledIsSendingError):
        await chat.scheduling.cancel(ADA, scheduled.scheduled_id)
    with pytest.raises(ScheduledIsSendingError):
        await chat.scheduling.change(ADA, scheduled.scheduled_id, text="other")


async def test_what_cannot_be_scheduled(chat) -> None:
    """The past, too far off, too many, nothing, and foreign places."""
    group = await chat.group()
    for after in (timedelta(0), -HOUR, timedelta(days=366)):
        with pytest.raises(DraftInvalidError):
            await later(chat, group, after=after)
    with pytest.raises(DraftInvalidError):
        await later(chat, group, text=" ")
    with pytest.raises(ConversationNotFoundError):
        await later(chat, group, MALLORY)
    chat.scheduling._limits = Limits(scheduled=1)
    await later(chat, group)
    with pytest.raises(DraftInvalidError):
        await later(chat, group)
