"""Erasing a user who is gone."""

import pytest

from libs.events.catalog import (
    ConversationRoleChanged,
    ErasureCompleted,
    MessageDeleted,
)
from services.chat.domain.conversation import ConversationKind, Role
from services.chat.domain.errors import ConversationNotFoundError
from services.chat.service import erasure as module
from services.chat.service.openings import Opening
from tests.unit.chat.support import ADA, GRACE, MALLORY, Chat, draft


@pytest.fixture
async def chat(monkeypatch):
    """A chat whose writer runs, and whose erasure takes small steps."""
    monkeypatch.setattr(module, "_MESSAGES", 2)
    monkeypatch.setattr(module, "_MEMBERSHIPS", 1)
    chat = Chat()
    async with chat.writer.running():
        yield chat


async def erase(chat, user_id) -> None:
    """Ask for an erasure and do it to its end."""
    async with chat.bus.transaction() as transaction:
        await chat.erasure.request(transaction, user_id)
        await chat.erasure.request(transaction, user_id)
    assert await chat.jobs.run_one()
    assert not await chat.jobs.run_one()


async def test_a_user_leaves_everything_and_says_nothing_more(chat) -> None:
    """Ownership passes on; every message is a tombstone in its place."""
    groups = [await chat.group(GRACE, MALLORY) for _ in range(2)]
    for group in groups:
        await chat.roles.change(ADA, group, MALLORY, Role.ADMIN)
        for sender in (ADA, GRACE, ADA, ADA):
            await chat.messages.send(draft(group, sender))
    pair, _ = await chat.openings.open(
        ADA, Opening(kind=ConversationKind.DIRECT, title=None, member_ids=(GRACE,))
    )
    direct = pair.conversation.conversation_id
    await chat.messages.send(draft(direct, ADA))
    await erase(chat, ADA)
    for group in (*groups, direct):
        with pytest.raises(ConversationNotFoundError):
            await chat.conversations.get(ADA, group)
        page = await chat.messages.page(GRACE, group, before=None, after=None, limit=9)
        said = [one for one in page.messages if one.kind == "text"]
        assert all(one.is_deleted == (one.sender_id == ADA) for one in said)
        assert all(one.text is None for one in said if one.is_deleted)
        stored = await chat.store.get(group)
        changes = await chat.sync.changes(GRACE, group, since=0, limit=99)
        assert changes.revision == stored.revision
    heirs = [
        event.user_id
        for event in chat.bus.published_of(ConversationRoleChanged)
        if event.changed_by is None
    ]
    assert heirs == [MALLORY, MALLORY]
    (done,) = chat.bus.published_of(ErasureCompleted)
    assert (done.user_id, done.service) == (ADA, "chat")
    assert done.erased_count == 3 + 7


async def test_each_tombstone_has_a_revision_of_its_own(chat) -> None:
    """Gap-free and told, so that search and notification forget them too."""
    group = await chat.group(GRACE)
    for _ in range(5):
        await chat.messages.send(draft(group, GRACE))
    await erase(chat, GRACE)
    deleted = chat.bus.published_of(MessageDeleted)
    stored = await chat.store.get(group)
    first = stored.revision - 4
    assert [one.revision for one in deleted] == [first + n for n in range(5)]


async def test_a_deleted_conversation_is_left_too(chat) -> None:
    """Its purge may not have come to it yet; nobody's messages are there to erase."""
    group = await chat.group(GRACE)
    await chat.messages.send(draft(group, GRACE))
    await chat.deletion.delete(ADA, group)
    chat.jobs_store.jobs.clear()
    await erase(chat, GRACE)
    assert not await chat.store.members_among(group, [GRACE])
    assert not chat.bus.published_of(MessageDeleted)


async def test_what_was_the_users_own_goes(chat) -> None:
    """Bans that name the user, and links the user made."""
    group = await chat.group(GRACE)
    await chat.bans.ban(ADA, group, MALLORY)
    await erase(chat, MALLORY)
    assert not chat.bans_store.bans
