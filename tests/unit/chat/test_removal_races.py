"""Nothing newer than a removal is shown, even to a request that began before it."""

import pytest

from services.chat.domain.errors import ConversationNotFoundError
from services.chat.service.messages import Edit
from tests.unit.chat.support import ADA, GRACE, Chat, draft


@pytest.fixture
async def chat():
    """A chat whose writer runs."""
    chat = Chat()
    async with chat.writer.running():
        yield chat


async def place_with_thread(chat):
    """Return a group of two with a pinned message that has an answer."""
    group = await chat.group(GRACE)
    root = await chat.messages.send(draft(group))
    await chat.messages.send(draft(group, thread_seq=root.seq))
    await chat.pins.pin(ADA, group, root.message_id)
    return group, root


READS = {
    "newest": lambda c, g, _: c.messages.page(GRACE, g, limit=9),
    "around": lambda c, g, m: c.messages.page(GRACE, g, limit=9, around=m.seq),
    "one": lambda c, g, m: c.messages.get(GRACE, g, m.message_id),
    "pins": lambda c, g, _: c.pins.page(GRACE, g, before=None, limit=9),
    "threads": lambda c, g, _: c.threads.page(GRACE, g, before=None, limit=9),
    "thread": lambda c, g, m: c.threads.get(GRACE, g, m.seq),
    "answers": lambda c, g, m: c.threads.messages(GRACE, g, m.seq, limit=9),
}


@pytest.mark.parametrize("is_removed", [True, False])
@pytest.mark.parametrize("name", READS)
async def test_a_read_that_is_overtaken_by_a_removal_shows_nothing(
    chat, monkeypatch, name, is_removed
) -> None:
    """What is said after the membership was read is for members alone."""
    group, root = await place_with_thread(chat)
    reading = chat.store.get_member

    async def overtaken(*args, **kwargs):
        member = await reading(*args, **kwargs)
        monkeypatch.setattr(chat.store, "get_member", reading)
        if is_removed:
            await chat.members.remove(ADA, group, GRACE)
        edit = Edit(text="not for Grace")
        await chat.messages.edit(ADA, group, root.message_id, edit)
        await chat.messages.send(draft(group, thread_seq=root.seq))
        return member

    monkeypatch.setattr(chat.store, "get_member", overtaken)
    if is_removed:
        with pytest.raises(ConversationNotFoundError):
            await READS[name](chat, group, root)
    else:
        assert await READS[name](chat, group, root)


async def test_a_resend_of_who_was_removed_is_missing_and_stays_stored(chat) -> None:
    """Not even that it was stored is told outside; the others keep it."""
    group = await chat.group(GRACE)
    said = draft(group, GRACE)
    first = await chat.messages.send(said)
    await chat.members.remove(ADA, group, GRACE)
    with pytest.raises(ConversationNotFoundError):
        await chat.messages.send(said)
    assert await chat.messages.get(ADA, group, first.message_id) == first
