"""Live delivery where something fails, comes early, or comes late."""

from datetime import timedelta

import pytest

from libs.crypto import DataKeys, FileKeyWrapper, KeyRing
from libs.kernel import ConversationId, UnavailableError, new_id
from services.chat.domain.conversation import Conversation, ConversationKind
from services.chat.repository.documents import conversation_of, new_conversation
from services.chat.repository.vault import ConversationVault
from services.chat.service.items import LiveItem, conversation_room
from tests.unit.chat.support import ADA, GRACE, Chat, draft


@pytest.fixture
def chat() -> Chat:
    """A chat of its own."""
    return Chat()


def removal(revision: int) -> LiveItem:
    """Return the news that Grace was removed."""
    return LiveItem("conversation.member_removed", {"revision": revision}, GRACE)


async def watched(chat: Chat, *users) -> ConversationId:
    """Return a group that some users watch from its first revision on."""
    group = await chat.group(GRACE)
    for user_id in users or (ADA,):
        chat.live.acquire(group)
        chat.live.admit(group, user_id, 1)
    return group


async def send(chat: Chat, *groups: ConversationId) -> None:
    """Store a message in each without telling the live side."""
    async with chat.writer.running():
        for group in groups:
            await chat.writer.submit(draft(group))


async def test_a_removal_that_came_early_lets_nobody_in(chat) -> None:
    """An event that waited for the first subscriber is heard before admission."""
    group = await chat.group(GRACE)
    chat.live.acquire(group)
    chat.live.offer(group, 2, removal(2))
    assert chat.live.admit(group, GRACE, 1) is None


async def test_an_older_removal_does_not_take_out_who_came_back(chat) -> None:
    """The membership a subscription is based on is newer than the removal."""
    group = await watched(chat, ADA)
    chat.live.acquire(group)
    assert chat.live.admit(group, GRACE, 3) == 3  # removed at 2, back at 3
    chat.live.offer(group, 2, removal(2))
    assert chat.rooms.removed == []


async def test_who_is_expelled_leaves_before_the_event_comes(chat) -> None:
    """Word of mouth is enough to leave, and the event changes nothing more."""
    group = await watched(chat, ADA, GRACE)
    chat.live.expel(group, GRACE, 2)
    assert chat.rooms.removed == [(conversation_room(group), GRACE)]
    assert chat.live.admit(group, GRACE, 1) is None


async def test_a_removal_is_told_before_its_event_comes(chat) -> None:
    """The member leaves the rooms of every process as soon as it is committed."""
    group = await watched(chat, ADA, GRACE)
    await chat.members.remove(ADA, group, GRACE)
    assert chat.rooms.removed == [(conversation_room(group), GRACE)]
    assert chat.removals_told == [(group, GRACE, 2)]


async def test_without_redis_a_removal_waits_for_its_event(chat) -> None:
    """The word of mouth may fail; the removal does not."""
    group = await watched(chat, ADA, GRACE)

    async def away(*_) -> None:
        raise UnavailableError("redis_unavailable", "Away.")

    chat.publish = away
    await chat.members.remove(ADA, group, GRACE)
    assert not (await chat.store.get_member(group, GRACE)).is_active


async def test_a_failed_poll_is_done_again(chat) -> None:
    """What was missed stays missed until a poll went through."""
    group = await watched(chat)
    await send(chat, group)
    chat.live.live_changed(is_live=True)
    revisions = chat.store.revisions

    async def away(_ids):
        raise UnavailableError("database_unavailable", "Away.")

    chat.store.revisions = away
    await chat.live.poll_if_due()
    chat.store.revisions = revisions
    assert chat.rooms.revisions() == []
    await chat.live.poll_if_due()
    assert chat.rooms.revisions() == [2]


async def test_one_bad_conversation_does_not_starve_the_others(chat) -> None:
    """Each fill fails alone, and the poll is repeated for its sake."""
    bad, good = await watched(chat), await watched(chat)
    await send(chat, bad, good)
    changed = chat.message_store.changed

    async def broken(conversation_id, **more):
        if conversation_id == bad:
            raise ValueError("broken")
        return await changed(conversation_id, **more)

    chat.message_store.changed = broken
    assert not await chat.live.poll_once()
    (payload,) = [payload for _, _, payload in chat.rooms.emitted]
    assert payload["conversation_id"] == good
    chat.message_store.changed = changed
    assert await chat.live.poll_once()
    assert len(chat.rooms.emitted) == 2


async def test_a_poll_comes_now_and_then_even_if_all_seems_well(chat) -> None:
    """A live queue that is silently dead is found out after 15 s."""
    group = await watched(chat)
    chat.live.live_changed(is_live=True)
    await chat.live.poll_if_due()
    await send(chat, group)
    await chat.live.poll_if_due()
    assert chat.rooms.revisions() == []
    chat.clock.advance(timedelta(seconds=15))
    await chat.live.poll_if_due()
    assert chat.rooms.revisions() == [2]


async def test_a_broker_that_hangs_is_polled_around(chat) -> None:
    """Own events stay unconfirmed and nothing is heard: a second is enough."""
    group = await watched(chat)
    chat.live.live_changed(is_live=True)
    chat.live.watch_unconfirmed(lambda: 1)
    await chat.live.poll_if_due()
    await send(chat, group)
    chat.live.heard()
    await chat.live.poll_if_due()
    assert chat.rooms.revisions() == []
    chat.clock.advance(timedelta(seconds=1))
    await chat.live.poll_if_due()
    assert chat.rooms.revisions() == [2]


@pytest.mark.parametrize("broken", ["title", "key"])
async def test_a_title_that_does_not_open_is_absent(broken) -> None:
    """Neither an altered title nor an altered key hides a conversation."""
    ring = KeyRing.generate()
    conversation = Conversation(
        conversation_id=ConversationId(new_id()),
        kind=ConversationKind.GROUP,
        title="Secret",
        project_id=None,
        created_by=ADA,
        created_at=Chat().clock.now(),
    )
    keys = DataKeys(FileKeyWrapper(ring))
    document = await new_conversation(conversation, ConversationVault(keys))
    part, name = {
        "title": (document["title"], "c"),
        "key": (document["keys"][0], "wrapped"),
    }[broken]
    part[name] = part[name][:-1] + bytes([part[name][-1] ^ 1])
    read = await conversation_of(document, ConversationVault(keys))
    assert (read.conversation_id, read.title) == (conversation.conversation_id, None)
