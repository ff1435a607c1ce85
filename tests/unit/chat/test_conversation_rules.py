"""Topic, rules and what late joiners see, over memory adapters."""

import asyncio
from datetime import timedelta

import msgspec
import pytest

from libs.events.catalog import ConversationArchived, ConversationUpdated
from libs.kernel import AppError, new_id
from services.chat.domain.amendment import Amendment
from services.chat.domain.conversation import (
    ConversationKind,
    HistoryVisibility,
    Role,
)
from services.chat.domain.errors import (
    AnnouncementOnlyError,
    AttachmentUnknownError,
    ConversationIsArchivedError,
    ConversationNotFoundError,
    DocumentNotAnImageError,
    DraftInvalidError,
    MessageNotFoundError,
    NotPermittedError,
    SlowModeError,
)
from services.chat.service.avatars import Avatars
from services.chat.service.messages import Edit
from services.chat.service.openings import Opening
from tests.unit.chat.support import ADA, GRACE, MALLORY, Chat, draft


@pytest.fixture
async def chat():
    """A chat whose writer runs."""
    chat = Chat()
    async with chat.writer.running():
        yield chat


async def test_everything_of_one_amendment_is_one_change(chat) -> None:
    """Topic and rules take one revision and one event; archiving one more."""
    group = await chat.group(GRACE)
    avatar = new_id()
    changed = await chat.conversations.change(
        ADA,
        group,
        Amendment(
            topic="  Who brings what  ",
            avatar_document_id=avatar,
            slow_mode_seconds=5,
            has_receipts=False,
            is_archived=True,
        ),
    )
    now = changed.conversation
    assert (now.topic, now.avatar_document_id) == ("Who brings what", avatar)
    assert (now.slow_mode_seconds, now.has_receipts) == (5, False)
    # The last one is the system message that tells of the topic.
    assert (now.revision, now.is_archived) == (4, True)
    (updated,) = chat.bus.published_of(ConversationUpdated)
    (archived,) = chat.bus.published_of(ConversationArchived)
    assert (updated.revision, archived.revision) == (2, 3)
    assert updated.rules.slow_mode_seconds == 5
    assert b"brings" not in updated.topic.ciphertext
    assert await chat.store.get(group) == now


async def test_a_refused_part_changes_nothing_of_the_rest(chat) -> None:
    """An amendment is all or nothing."""
    group = await chat.group(GRACE)
    before = await chat.store.get(group)
    with pytest.raises(DraftInvalidError):
        await chat.conversations.change(
            ADA, group, Amendment(topic="x" * 1_001, title="Other")
        )
    with pytest.raises(NotPermittedError):
        await chat.conversations.change(GRACE, group, Amendment(has_receipts=False))
    archived = Amendment(is_archived=True)
    await chat.conversations.change(ADA, group, archived)
    with pytest.raises(ConversationIsArchivedError):
        await chat.conversations.change(
            ADA, group, Amendment(is_archived=False, title="Other")
        )
    assert (await chat.store.get(group)).title == before.title


@pytest.mark.parametrize(
    "asked",
    [
        Amendment(slow_mode_seconds=-1),
        Amendment(slow_mode_seconds=21_601),
        Amendment(is_public=True),
        Amendment(title=" "),
    ],
)
async def test_rules_that_do_not_suit_a_group(chat, asked) -> None:
    """Slow mode has bounds; only a channel is public."""
    group = await chat.group()
    with pytest.raises(DraftInvalidError):
        await chat.conversations.change(ADA, group, asked)


async def test_a_direct_conversation_silences_nobody(chat) -> None:
    """Neither announcements nor slow mode, nor a topic."""
    for asked in (
        Amendment(is_announcement_only=True),
        Amendment(slow_mode_seconds=1),
        Amendment(topic="Us"),
    ):
        opening = Opening(
            kind=ConversationKind.DIRECT,
            title=None,
            member_ids=(GRACE,),
            amendment=asked,
        )
        with pytest.raises(DraftInvalidError):
            await chat.openings.open(ADA, opening)


async def test_only_speakers_send_announcements(chat) -> None:
    """The writer asks the same table."""
    group = await chat.group(GRACE)
    await chat.conversations.change(ADA, group, Amendment(is_announcement_only=True))
    await chat.messages.send(draft(group, ADA))
    with pytest.raises(AnnouncementOnlyError):
        await chat.messages.send(draft(group, GRACE))


@pytest.mark.parametrize("visibility", HistoryVisibility)
async def test_late_joiners_see_what_the_rule_says(chat, visibility) -> None:
    """History and changes begin at the joining, or at the beginning."""
    group = await chat.group(GRACE)
    await chat.conversations.change(
        ADA, group, Amendment(history_visibility=visibility)
    )
    early = await chat.messages.send(draft(group, GRACE, "before"))
    member = await chat.members.add(ADA, group, MALLORY, Role.MEMBER)
    late = await chat.messages.send(draft(group, GRACE, "after"))
    edit = Edit(text="edited")
    await chat.messages.edit(GRACE, group, early.message_id, edit)
    is_all = visibility is HistoryVisibility.ALL
    seen = [early.seq, late.seq] if is_all else [late.seq]
    bounds = {"before": None, "after": None, "limit": 10}
    page = await chat.messages.page(MALLORY, group, **bounds)
    shown = [message.seq for message in page.messages if message.notice is None]
    assert shown == seen
    page = await chat.messages.page(MALLORY, group, **(bounds | {"after": 0}))
    shown = [message.seq for message in page.messages if message.notice is None]
    assert shown == seen
    changes = await chat.sync.changes(MALLORY, group, since=0, limit=10)
    texts = [message for message in changes.messages if message.notice is None]
    assert sorted(message.seq for message in texts) == seen
    # The word of the joining itself is the first thing that a late joiner sees.
    assert member.visible_from_seq == (1 if is_all else late.seq - 1)
    if not is_all:
        with pytest.raises(MessageNotFoundError):
            await chat.messages.delete(MALLORY, group, early.message_id)


async def slow_group(chat, seconds: int = 30):
    """Store a group in slow mode, of Ada who owns it and of Grace."""
    group = await chat.group(GRACE)
    await chat.conversations.change(ADA, group, Amendment(slow_mode_seconds=seconds))
    return group


@pytest.mark.parametrize("is_cold", [False, True])
async def test_slow_mode_makes_a_sender_wait(chat, is_cold) -> None:
    """From the last message on, whoever remembers it; owners are not slowed."""
    group = await slow_group(chat)
    await chat.messages.send(draft(group, GRACE))
    chat.clock.advance(timedelta(seconds=10))
    if is_cold:
        chat.writer.forget(group)
    with pytest.raises(SlowModeError) as caught:
        await chat.messages.send(draft(group, GRACE))
    assert (caught.value.code, caught.value.retry_after_seconds) == ("slow_mode", 20)
    for _ in range(2):
        await chat.messages.send(draft(group, ADA))
    chat.clock.advance(timedelta(seconds=20))
    await chat.messages.send(draft(group, GRACE))


async def test_slow_mode_slows_edits_too(chat) -> None:
    """From the last message or edit on; what says the same already is answered."""
    group = await slow_group(chat)
    sent = await chat.messages.send(draft(group, GRACE))

    async def say(text: str):
        edit = Edit(text=text)
        return await chat.messages.edit(GRACE, group, sent.message_id, edit)

    chat.clock.advance(timedelta(seconds=10))
    with pytest.raises(SlowModeError) as caught:
        await say("sooner")
    assert caught.value.retry_after_seconds == 20
    chat.clock.advance(timedelta(seconds=20))
    edited = await say("in time")
    assert await say("in time") == edited
    chat.clock.advance(timedelta(seconds=29))
    with pytest.raises(SlowModeError):
        await say("again")
    await chat.messages.send(draft(group, GRACE))  # an edit slows no message
    await chat.messages.delete(GRACE, group, sent.message_id)


async def test_slow_mode_slows_no_owners_edits(chat) -> None:
    """Who is not slowed in sending is not slowed in editing."""
    group = await slow_group(chat)
    sent = await chat.messages.send(draft(group, ADA))
    for text in ("once", "twice"):
        edit = Edit(text=text)
        edited = await chat.messages.edit(ADA, group, sent.message_id, edit)
        assert edited.text == text


async def test_who_was_silenced_edits_nothing(chat) -> None:
    """What was said before only announcements were made may be taken back alone."""
    group = await chat.group(GRACE)
    sent = await chat.messages.send(draft(group, GRACE))
    await chat.conversations.change(ADA, group, Amendment(is_announcement_only=True))
    with pytest.raises(AnnouncementOnlyError):
        await chat.messages.edit(GRACE, group, sent.message_id, Edit(text="new"))
    await chat.messages.delete(GRACE, group, sent.message_id)


async def test_slow_mode_lets_one_of_many_through(chat) -> None:
    """Messages that wait for the same commit are counted too."""
    group = await slow_group(chat)
    sent = await asyncio.gather(
        *(chat.messages.send(draft(group, GRACE)) for _ in range(5)),
        return_exceptions=True,
    )
    refused = [one for one in sent if isinstance(one, SlowModeError)]
    assert len(refused) == 4
    assert (await chat.store.get(group)).last_seq == 1


async def test_a_resend_is_answered_in_slow_mode(chat) -> None:
    """It is no second message: its first result is there."""
    group = await slow_group(chat)
    again = draft(group, GRACE)
    first = await chat.messages.send(again)
    assert await chat.messages.send(again) == first


@pytest.mark.parametrize("is_cold", [True, False])
@pytest.mark.parametrize(
    "rule", [Amendment(is_archived=True), Amendment(is_announcement_only=True)]
)
async def test_a_resend_is_answered_where_nothing_new_is_taken(
    chat, rule, is_cold
) -> None:
    """An answer that was lost is had again, whatever the rules have become."""
    group = await chat.group(GRACE)
    again = draft(group, GRACE)
    first = await chat.messages.send(again)
    await chat.conversations.change(ADA, group, rule)
    if not is_cold:
        with pytest.raises(AppError):
            await chat.messages.send(draft(group, GRACE))
    assert await chat.messages.send(again) == first
    await chat.members.remove(GRACE, group, GRACE)
    with pytest.raises(ConversationNotFoundError):
        await chat.messages.send(again)


async def test_slow_mode_that_was_turned_off_slows_nobody(chat) -> None:
    """Memory never refuses alone: the conversation is read again."""
    group = await slow_group(chat)
    await chat.messages.send(draft(group, GRACE))
    stored = await chat.store.get(group)
    quick = msgspec.structs.replace(stored, slow_mode_seconds=0)
    await chat.store.replace(quick, before=stored, session=None)
    await chat.messages.send(draft(group, GRACE))


async def test_a_picture_is_ones_own_to_give(chat) -> None:
    """Or one may read it where it lies; unknown and foreign ones are alike."""
    avatars = Avatars(chat.attachments)
    group, secret = await chat.group(GRACE), await chat.group(owner=MALLORY)
    own = await chat.checked(ADA)
    shared = await chat.checked(GRACE, conversation_id=group)
    foreign = await chat.checked(MALLORY, conversation_id=secret)
    for fine in (own, shared, None):
        asked = Amendment(avatar_document_id=fine)
        await avatars.require_usable(ADA, group, asked)
    await avatars.require_usable(ADA, group, Amendment(title="x"))
    for wrong in (foreign, new_id()):
        asked = Amendment(avatar_document_id=wrong)
        with pytest.raises(AttachmentUnknownError):
            await avatars.require_usable(ADA, group, asked)


async def test_a_picture_is_an_image(chat) -> None:
    """What media found it to be; what is still being checked may be tried again."""
    avatars, group = Avatars(chat.attachments), await chat.group()
    asked = Amendment(avatar_document_id=await chat.checked(ADA, "application/pdf"))
    with pytest.raises(DocumentNotAnImageError) as caught:
        await avatars.require_usable(ADA, group, asked)
    assert caught.value.code == "avatar_not_image"
    asked = Amendment(avatar_document_id=await chat.uploaded(ADA))
    with pytest.raises(AttachmentUnknownError) as unchecked:
        await avatars.require_usable(ADA, group, asked)
    assert unchecked.value.retry_after_seconds == 1.0
