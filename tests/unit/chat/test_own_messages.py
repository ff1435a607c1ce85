"""All that somebody ever said, wherever they were."""

import pytest

from libs.chassis import whole_lists
from services.chat.service.own_messages import OwnMessages
from tests.unit.chat.support import ADA, GRACE, Chat, draft


@pytest.fixture
async def chat():
    """A chat whose writer runs."""
    chat = Chat()
    async with chat.writer.running():
        yield chat


async def test_own_messages_are_found_in_every_place(chat, monkeypatch) -> None:
    """In places that were left too; no others', and none that were deleted."""
    monkeypatch.setattr("services.chat.service.own_messages.WHOLE_LIST_PAGE", 2)
    monkeypatch.setattr(whole_lists, "WHOLE_LIST_PAGE", 2)
    groups = [await chat.group(GRACE) for _ in range(3)]
    said = []
    for group in groups:
        for sender in (GRACE, ADA, GRACE, GRACE):
            sent = await chat.messages.send(draft(group, sender))
            if sender == GRACE:
                said.append(sent.message_id)
    await chat.messages.delete(GRACE, groups[0], said.pop(0))
    await chat.members.remove(GRACE, groups[1], GRACE)
    own = OwnMessages(chat.eraser, chat.message_store)
    found = [message async for message in own.all(GRACE)]
    assert {message.message_id for message in found} == set(said)
    assert len(found) == len(said) == 8
    assert {message.text for message in found} == {"hello"}
