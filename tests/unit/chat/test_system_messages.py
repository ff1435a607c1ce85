"""What the house tells in a conversation about what somebody did to it."""

import pytest

from libs.events.catalog import (
    ConversationMemberAdded,
    ConversationUpdated,
    MessageSent,
)
from services.chat.domain.amendment import Amendment
from services.chat.domain.conversation import Role, unread_count
from services.chat.domain.errors import NotPermittedError
from services.chat.domain.message import MessageKind, content_of
from services.chat.domain.notice import Notice, NoticeType
from services.chat.service.messages import Edit
from services.chat.service.wire import message_event
from tests.unit.chat.support import ADA, GRACE, MALLORY, Chat, draft


@pytest.fixture
async def chat():
    """A chat whose writer runs."""
    chat = Chat()
    async with chat.writer.running():
        yield chat


async def newest(chat, group):
    """Return the newest message as Ada reads it."""
    page = await chat.messages.page(ADA, group, before=None, after=None, limit=1)
    return page.messages[-1]


async def test_a_new_member_is_told_of_after_the_fact(chat) -> None:
    """The message has a seq, and the revision after the membership's."""
    group = await chat.group()
    member = await chat.members.add(ADA, group, GRACE, Role.MEMBER)
    message = await newest(chat, group)
    assert (message.kind, message.text) == (MessageKind.SYSTEM, None)
    assert message.notice == Notice(type=NoticeType.MEMBER_ADDED, user_id=GRACE)
    assert (message.sender_id, message.seq) == (ADA, 1)
    assert message.revision == member.revision + 1
    (added,) = chat.bus.published_of(ConversationMemberAdded)
    (sent,) = chat.bus.published_of(MessageSent)
    assert (added.revision, sent.revision, sent.kind) == (2, 3, "system")


async def test_a_title_is_private_in_the_message_too(chat) -> None:
    """It is sealed in the event; the revision of the message is its own."""
    group = await chat.group()
    await chat.conversations.change(ADA, group, Amendment(title="Secret plans"))
    message = await newest(chat, group)
    assert message.notice == Notice(type=NoticeType.TITLE_CHANGED, title="Secret plans")
    (sent,) = chat.bus.published_of(MessageSent)
    assert b"Secret" not in sent.content.ciphertext
    (updated,) = chat.bus.published_of(ConversationUpdated)
    assert sent.revision == updated.revision + 1


@pytest.mark.parametrize(
    ("actor", "told"),
    [(ADA, NoticeType.MEMBER_REMOVED), (GRACE, NoticeType.MEMBER_LEFT)],
)
async def test_leaving_is_told_apart_from_being_taken_out(chat, actor, told) -> None:
    """Who did it is the sender."""
    group = await chat.group(GRACE)
    await chat.members.remove(actor, group, GRACE)
    message = await newest(chat, group)
    assert message.notice == Notice(type=told, user_id=GRACE)
    assert message.sender_id == actor


async def test_it_is_unread_for_everybody_but_its_actor(chat) -> None:
    """And the actor has not read by it what came before."""
    group = await chat.group(GRACE)
    await chat.members.add(ADA, group, MALLORY, Role.MEMBER)
    assert await unread(chat, group, ADA) == 0
    assert await unread(chat, group, GRACE) == 1
    await chat.messages.send(draft(group, GRACE))
    await chat.conversations.change(ADA, group, Amendment(title="Other"))
    assert await unread(chat, group, ADA) == 2


async def test_live_it_looks_as_it_does_in_history(chat) -> None:
    """One shape on every wire."""
    group = await chat.group()
    async with chat.watching(group):
        await chat.conversations.change(ADA, group, Amendment(title="Other"))
    stored = await newest(chat, group)
    sent = [item[1:] for item in chat.rooms.emitted if item[1] == "message.sent"]
    assert sent == [("message.sent", message_event(stored))]


async def test_it_is_nobodys_to_edit(chat) -> None:
    """Its actor said nothing; who may delete any message may delete it."""
    group = await chat.group(GRACE)
    await chat.members.remove(GRACE, group, GRACE)
    await chat.members.add(ADA, group, GRACE, Role.MEMBER)
    page = await chat.messages.page(GRACE, group, before=None, after=None, limit=9)
    left, added = (message.message_id for message in page.messages)
    with pytest.raises(NotPermittedError):
        await chat.messages.edit(GRACE, group, left, Edit(text="I never left"))
    with pytest.raises(NotPermittedError):
        await chat.messages.delete(GRACE, group, left)
    await chat.messages.delete(ADA, group, added)
    assert (await newest(chat, group)).is_deleted


async def unread(chat, group, user_id) -> int:
    """Return what a member has not read."""
    conversation = await chat.store.get(group)
    return unread_count(conversation, await chat.store.get_member(group, user_id))


async def test_a_deleted_notice_leaves_nothing_of_what_it_told(chat) -> None:
    """A title is private, and is gone with the message that told it."""
    group = await chat.group(GRACE)
    await chat.conversations.change(ADA, group, Amendment(title="Secret plans"))
    notice = await newest(chat, group)
    async with chat.watching(group):
        await chat.messages.delete(ADA, group, notice.message_id)
    gone = await newest(chat, group)
    assert (gone.is_deleted, gone.notice, content_of(gone)) == (True, None, None)
    *_, (_, event, payload) = chat.rooms.emitted
    assert (event, payload["message"]["notice"]) == ("message.deleted", None)
