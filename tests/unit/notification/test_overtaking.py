"""What comes before the message it is about, which waits in a retry tier."""

from datetime import timedelta
from typing import Any

import pytest

from libs.events.catalog import (
    ConversationCreated,
    ConversationDeleted,
    MessageDeleted,
    MessageEdited,
)
from libs.kernel import EventId, MessageId, UserId, new_id
from services.notification.domain.conversations import Excerpt, newest
from tests.unit.notification.conftest import House


async def edit(house: House, message: Any, text: str, revision: int = 9) -> None:
    """Let an edit of a message come."""
    event_id = EventId(new_id())
    conversation_id = message.conversation_id
    context = (event_id, "message.edited", "content", conversation_id)
    await house.take(
        MessageEdited(
            conversation_id=conversation_id,
            message_id=message.message_id,
            seq=message.seq,
            revision=revision,
            edited_by=message.sender_id,
            edited_at=house.clock.now(),
            content=house.seal(f'{{"text":"{text}"}}', *context),
            mentions=(),
            mention_kinds=(),
        ),
        event_id,
    )


async def begin(house: House, conversation_id: str, *members: UserId) -> None:
    """Let conversation.created come at last, and what waited for it."""
    await house.take(
        ConversationCreated(
            conversation_id=conversation_id,
            revision=1,
            kind="direct",
            project_id=None,
            title=None,
            created_by=members[0],
            members=tuple((one, "member") for one in members),
        )
    )
    await house.bus.advance(timedelta(seconds=2))


async def listed(house: House, user_id: UserId) -> list[str]:
    """Return the texts of somebody's in-app list."""
    page = await house.lists.page(user_id, before_id=None, limit=50, is_unread=None)
    return [entry.text for entry in page]


@pytest.mark.parametrize("revisions", [(8, 9), (9, 8)])
async def test_an_edit_that_overtakes_its_message_is_what_is_told(
    house: House, revisions: tuple[int, int]
) -> None:
    """List, push and mail show the newest text; nobody sees what was replaced."""
    ada, bob = await house.member("Ada"), await house.member("Bob")
    await house.prefer(bob, include_content=True)
    conversation = new_id()
    house.bus._has_immediate_tiers = False
    message, event_id = house.message(
        conversation, ada, body='{"text":"my password is 1234"}'
    )
    await house.take(message, event_id)
    for revision in revisions:
        await edit(house, message, f"words of {revision}", revision)

    await begin(house, conversation, ada, bob)
    await house.tick()
    await house.tick(60)

    assert await listed(house, bob) == ["words of 9"]
    assert [push.body for push in house.push.sent] == ["words of 9"]
    [mail] = house.mail.sent
    assert "words of 9" in mail.text
    assert "1234" not in mail.text


async def test_a_deletion_that_overtakes_its_message_silences_it(
    house: House,
) -> None:
    """With an edit before it as well: nobody is told, and no words are kept."""
    ada, bob = await house.member("Ada"), await house.member("Bob")
    conversation = new_id()
    house.bus._has_immediate_tiers = False
    message, event_id = house.message(conversation, ada)
    await house.take(message, event_id)
    await edit(house, message, "better words", 8)
    await house.take(
        MessageDeleted(
            conversation_id=conversation,
            message_id=message.message_id,
            seq=1,
            revision=9,
            deleted_by=ada,
        )
    )

    await begin(house, conversation, ada, bob)
    await house.tick(60)

    assert await listed(house, bob) == []
    assert house.push.tried == house.mail.sent == []
    [kept] = (await house.conversations.excerpts([message.message_id])).values()
    assert (kept.text, kept.is_deleted) == ("", True)


async def test_an_edit_alone_tells_nobody(house: House) -> None:
    """Its message may be one that nobody was told of, long ago."""
    ada, bob = await house.member("Ada"), await house.member("Bob")
    conversation = await house.converse(ada, bob)
    message, _ = house.message(conversation, ada)

    await edit(house, message, "better words")
    await house.tick(60)

    assert await listed(house, bob) == []
    assert await house.conversations.excerpts([message.message_id]) == {}


def test_the_newest_of_two_versions_is_kept(house: House) -> None:
    """By revision; an edit gives its words, the message everything else."""
    sent = Excerpt(
        message_id=MessageId("m"),
        conversation_id=house.message("c", "u")[0].conversation_id,
        seq=1,
        revision=2,
        sender_id=UserId("u"),
        sent_at=house.clock.now(),
        text="first",
        has_attachments=True,
    )
    edited = Excerpt(
        message_id=sent.message_id,
        conversation_id=sent.conversation_id,
        seq=1,
        revision=5,
        sender_id=UserId("u"),
        sent_at=house.clock.now(),
        text="second",
        is_early=True,
    )
    merged = newest(edited, sent)

    assert merged is not None
    assert (merged.text, merged.revision) == ("second", 5)
    assert (merged.has_attachments, merged.is_early) == (True, False)
    assert newest(sent, edited) == merged
    assert newest(merged, sent) is None
    assert newest(merged, edited) is None


async def test_an_edit_that_comes_after_the_end_leaves_nothing(house: House) -> None:
    """A deleted conversation's words are not kept, whatever came late."""
    ada, bob = await house.member("Ada"), await house.member("Bob")
    conversation = await house.converse(ada, bob)
    message = await house.say(conversation, ada)
    await house.take(
        ConversationDeleted(conversation_id=conversation, revision=9, deleted_by=ada)
    )
    await edit(house, message, "too late", revision=8)
    assert await house.conversations.excerpts([message.message_id]) == {}
    assert "too late" not in str(vars(house.conversations))
