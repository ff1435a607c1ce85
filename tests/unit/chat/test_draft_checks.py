"""Who may be mentioned, what may be attached, and what a forwarded message is."""

import itertools

import msgspec
import pytest

from libs.events.catalog import (
    MediaDeleted,
    MediaProcessed,
    MediaRejected,
    MediaUploaded,
    MessageSent,
)
from libs.kernel import new_id
from services.chat.domain.conversation import Role
from services.chat.domain.errors import (
    AttachmentUnknownError,
    ConversationNotFoundError,
    DraftInvalidError,
    MessageIsDeletedError,
    NotPermittedError,
)
from services.chat.domain.limits import Limits
from services.chat.domain.message import MentionKind
from services.chat.service.messages import Edit
from tests.unit.chat.support import ADA, GRACE, MALLORY, Chat, draft

EVERYBODY = (MentionKind.ALL,)


@pytest.fixture
async def chat():
    """A chat whose writer runs."""
    chat = Chat()
    async with chat.writer.running():
        yield chat


async def give(chat, group, user_id, role) -> None:
    """Give a member a role, without events."""
    known = chat.store.members[group, user_id]
    chat.store.members[group, user_id] = msgspec.structs.replace(known, role=role)


async def test_only_members_are_mentioned(chat) -> None:
    """The error names who is none; an edit is held to the same."""
    group = await chat.group(GRACE)
    with pytest.raises(DraftInvalidError) as refused:
        await chat.messages.send(draft(group, mentions=(GRACE, MALLORY)))
    assert refused.value.details["user_ids"] == [MALLORY]
    sent = await chat.messages.send(draft(group, mentions=(GRACE,)))
    edit = Edit(text="x", mentions=(MALLORY,))
    with pytest.raises(DraftInvalidError):
        await chat.messages.edit(ADA, group, sent.message_id, edit)


async def test_mentions_of_many_need_their_right(chat) -> None:
    """Guests never; members of big conversations neither; owners always."""
    group = await chat.group(GRACE, MALLORY)
    await give(chat, group, MALLORY, Role.GUEST)
    await chat.messages.send(draft(group, GRACE, mention_kinds=EVERYBODY))
    assert chat.bus.published_of(MessageSent)[-1].mention_kinds == ("all",)
    with pytest.raises(NotPermittedError):
        await chat.messages.send(draft(group, MALLORY, mention_kinds=EVERYBODY))
    chat.checks._limits = Limits(mention_all_members=2)
    with pytest.raises(NotPermittedError):
        await chat.messages.send(draft(group, GRACE, mention_kinds=EVERYBODY))
    await chat.messages.send(draft(group, ADA, mention_kinds=EVERYBODY))


async def test_what_may_be_attached(chat) -> None:
    """One's own, and what one may read; the rest looks as if it were missing."""
    group = await chat.group(GRACE)
    elsewhere = await chat.group(GRACE, owner=MALLORY)
    own = await chat.uploaded(ADA)
    here = await chat.uploaded(GRACE, conversation_id=group)
    foreign = await chat.uploaded(MALLORY, conversation_id=elsewhere)
    await chat.messages.send(draft(group, attachments=(own, here)))
    for refused in (foreign, new_id(), await chat.uploaded(MALLORY)):
        with pytest.raises(AttachmentUnknownError) as error:
            await chat.messages.send(draft(group, attachments=(own, refused)))
        assert error.value.details["document_ids"] == [refused]
        assert error.value.retry_after_seconds > 0
    await chat.messages.send(draft(group, GRACE, attachments=(foreign,)))


async def test_documents_are_known_whatever_the_order_of_events(chat) -> None:
    """A deletion or rejection is for ever, and nothing of it is told apart."""
    document_id = new_id()
    place = {"document_id": document_id, "owner_id": ADA}
    home = {"conversation_id": None, "project_id": None, "size_bytes": 1}
    events = [
        MediaUploaded(**place, **home),
        MediaProcessed(**place, **home, content_type="image/png", renditions=()),
        MediaRejected(**place, reason="type_mismatch"),
        MediaDeleted(document_id=document_id, deleted_by=ADA),
    ]
    outcomes = set()
    for order in itertools.permutations(events):
        chat.attachment_store.attachments.clear()
        for event in (*order, order[0]):
            await chat.attachments.apply(event, session=None)
        outcomes.add(chat.attachment_store.attachments[document_id])
    (outcome,) = outcomes
    assert not outcome.is_usable


async def test_a_forwarded_message_is_a_copy_that_names_its_origin(chat) -> None:
    """A copy of a copy names the first; mentions are not repeated."""
    source, target = await chat.group(GRACE), await chat.group(MALLORY)
    first = await chat.messages.send(draft(source, GRACE, "news", mentions=(ADA,)))
    place = (source, first.message_id)
    name = new_id()
    copy = await chat.forwarding.forward(ADA, target, place, client_message_id=name)
    again = await chat.forwarding.forward(ADA, target, place, client_message_id=name)
    assert copy.message_id == again.message_id
    assert (copy.text, copy.mentions, copy.sender_id) == ("news", (), ADA)
    assert copy.forwarded_from.message_id == first.message_id
    second = await chat.forwarding.forward(
        ADA, source, (target, copy.message_id), client_message_id=new_id()
    )
    assert second.forwarded_from == copy.forwarded_from
    (event,) = [e for e in chat.bus.published_of(MessageSent) if e.seq == 1][1:2]
    assert event.forwarded_from.sender_id == GRACE


async def test_what_cannot_be_forwarded(chat) -> None:
    """What one may not read, where one may not write, what is gone, notices."""
    source, target = await chat.group(GRACE), await chat.group(MALLORY)
    first = await chat.messages.send(draft(source, GRACE, "news"))
    place = (source, first.message_id)
    for who in (MALLORY, GRACE):  # neither of them is in both
        with pytest.raises(ConversationNotFoundError):
            await chat.forwarding.forward(
                who, target, place, client_message_id=new_id()
            )
    await chat.messages.delete(GRACE, *place)
    with pytest.raises(MessageIsDeletedError):
        await chat.forwarding.forward(ADA, target, place, client_message_id=new_id())
    await chat.members.remove(GRACE, source, GRACE)
    notice = (await chat.messages.page(ADA, source, limit=1)).messages[0]
    with pytest.raises(DraftInvalidError):
        await chat.forwarding.forward(
            ADA, target, (source, notice.message_id), client_message_id=new_id()
        )


async def test_a_forward_is_repeated_after_its_source_is_gone(chat) -> None:
    """The first copy answers, to who is still where it went."""
    source, target = await chat.group(), await chat.group(GRACE)
    first = await chat.messages.send(draft(source))
    place, name = (source, first.message_id), new_id()
    copy = await chat.forwarding.forward(ADA, target, place, client_message_id=name)
    await chat.messages.delete(ADA, *place)
    again = await chat.forwarding.forward(ADA, target, place, client_message_id=name)
    assert again == copy
    await give(chat, target, GRACE, Role.OWNER)
    await chat.members.remove(ADA, target, ADA)
    with pytest.raises(ConversationNotFoundError):
        await chat.forwarding.forward(ADA, target, place, client_message_id=name)
