"""Export: complete, in order, checkable, and whole on disk or not at all."""

import hashlib
import json
import stat

import pytest

from libs.kernel import ConversationId, new_id
from services.chat.domain.errors import ConversationNotFoundError
from services.chat.operations.export import write_whole
from services.chat.service.export import Export
from services.chat.service.messages import Edit
from tests.unit.chat.support import ADA, GRACE, Chat, draft


async def exported(chat: Chat, conversation_id) -> list[bytes]:
    """Return the lines of an export."""
    export = Export(chat.store, chat.message_store, chat.versions, chat.clock)
    return [line async for line in export.lines(conversation_id)]


async def test_everything_is_there_and_the_last_line_proves_it() -> None:
    """Header with counts, members, messages by seq, and the sum over all of it."""
    chat = Chat()
    group = await chat.group(GRACE)
    async with chat.writer.running():
        for number in range(1_203):
            await chat.writer.submit(draft(group, text=f"text {number}"))
    lines = await exported(chat, group)
    header, *rest, end = map(json.loads, lines)
    assert (header["type"], header["format"]) == ("conversation", 2)
    assert (header["members"], header["messages"]) == (2, 1_203)
    assert header["conversation"]["title"] == "Group"
    members = [line["member"]["user_id"] for line in rest[:2]]
    assert members == sorted([ADA, GRACE])
    messages = [line["message"] for line in rest[2:]]
    assert [m["seq"] for m in messages] == list(range(1, 1_204))
    assert messages[7]["text"] == "text 7"
    whole = b"".join(lines[:-1])
    assert end == {
        "type": "end",
        "lines": len(lines) - 1,
        "sha256": hashlib.sha256(whole).hexdigest(),
    }


async def test_what_comes_later_is_left_out() -> None:
    """The header's counts hold though people go on writing."""
    chat = Chat()
    group = await chat.group()
    async with chat.writer.running():
        await chat.writer.submit(draft(group))
        export = Export(chat.store, chat.message_store, chat.versions, chat.clock)
        lines = export.lines(group)
        header = json.loads(await anext(lines))
        await chat.writer.submit(draft(group))
        rest = [json.loads(line) async for line in lines]
    assert header["messages"] == 1
    assert [line["type"] for line in rest] == ["member", "message", "end"]


async def test_what_was_said_before_and_who_was_there_are_in_it() -> None:
    """Each version after its message, the oldest first; those who left, as left."""
    chat = Chat()
    group = await chat.group(GRACE)
    async with chat.writer.running():
        sent = await chat.messages.send(draft(group, ADA, "one"))
        for text in ("two", "three"):
            await chat.messages.edit(ADA, group, sent.message_id, Edit(text=text))
        await chat.members.remove(ADA, group, GRACE)
    header, *rest, _ = map(json.loads, await exported(chat, group))
    assert header["members"] == 1
    members = [line["member"] for line in rest if line["type"] == "member"]
    assert {m["user_id"]: m["is_active"] for m in members} == {ADA: True, GRACE: False}
    kinds = [line["type"] for line in rest[2:5]]
    assert kinds == ["message", "version", "version"]
    said = [(line["version"]["number"], line["version"]["text"]) for line in rest[3:5]]
    assert said == [(1, "one"), (2, "two")]
    assert rest[2]["message"]["text"] == "three"
    assert {line["version"]["message_id"] for line in rest[3:5]} == {sent.message_id}


async def test_an_empty_and_a_missing_conversation() -> None:
    """One has no messages, the other is no export."""
    chat = Chat()
    lines = await exported(chat, await chat.group())
    assert [json.loads(line)["type"] for line in lines] == [
        "conversation",
        "member",
        "end",
    ]
    with pytest.raises(ConversationNotFoundError):
        await exported(chat, ConversationId(new_id()))


async def test_a_file_is_whole_or_as_it_was(tmp_path) -> None:
    """Only the owner reads it; a failure leaves neither half a file nor a rest."""

    async def lines(count: int, *, fails: bool = False):
        for number in range(count):
            yield b"%d\n" % number
        if fails:
            raise ConversationNotFoundError

    target = tmp_path / "export.jsonl"
    assert await write_whole(target, lines(1_201)) == 1_201
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    before = target.read_bytes()
    assert before.splitlines()[1_200] == b"1200"
    with pytest.raises(ConversationNotFoundError):
        await write_whole(target, lines(700, fails=True))
    assert target.read_bytes() == before
    assert list(tmp_path.iterdir()) == [target]
    (tmp_path / ".export.jsonl.part").write_text("left by a crash")
    assert await write_whole(target, lines(1)) == 1
    assert target.read_bytes() == b"0\n"
