"""Whatever a client saw live, and from whichever revision it catches up: one state."""

import asyncio

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from services.chat.domain.errors import AppError
from services.chat.service.items import items_of
from services.chat.service.messages import Edit
from services.chat.service.wire import message_wire
from tests.unit.chat.support import ADA, GRACE, Chat, draft

STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["send", "answer", "edit", "react", "unreact", "pin", "unpin", "delete"]
        ),
        st.integers(1, 6),
        st.sampled_from([ADA, GRACE]),
    ),
    max_size=25,
)


class Client:
    """What docs/realtime.md tells a client to do with what it gets."""

    def __init__(self) -> None:
        self.revision = 1
        self.messages: dict[str, dict] = {}
        self._counted_up_to: dict[int, int] = {}

    def take(self, revision: int, payload: dict) -> None:
        """Merge a live event, or one that was filled in."""
        if revision <= self.revision:
            return
        self.revision = revision
        told = dict(payload["message"])
        known = self.messages.setdefault(told["message_id"], {})
        is_new = "client_message_id" not in known
        if "reaction" in payload:
            told["reactions"] = merged(known["reactions"], payload["reaction"])
        if told.get("is_deleted"):
            told.setdefault("reactions", ())
        if "edited_at" in told and "edit_count" not in told:
            told["edit_count"] = known["edit_count"] + 1
        known |= told
        if "last_reply_seq" in told:
            self._counted_up_to[known["seq"]] = told["last_reply_seq"] or 0
        if is_new and known.get("thread_seq") is not None:
            self._answered(known)

    def _answered(self, answer: dict) -> None:
        """Count an answer on what it answers, unless the state told counts it.

        Answers come out of order: one that was edited comes with its edit.
        """
        counted = self._counted_up_to.get(answer["thread_seq"], 0)
        for root in self.messages.values():
            if root["seq"] == answer["thread_seq"] and answer["seq"] > counted:
                newest = max(root["last_reply_seq"] or 0, answer["seq"])
                root["reply_count"] += 1
                root["last_reply_seq"] = newest


def merged(reactions, one) -> tuple:
    """Put the present state of one emoji in the place of its former one."""
    found = {reaction["emoji"]: reaction for reaction in reactions}
    found[one["emoji"]] = one
    return tuple(reaction for reaction in found.values() if reaction["count"])


async def act(chat, group, step) -> None:
    """Do a step; what is refused changes nothing."""
    what, seq, who = step
    target = await chat.message_store.get_by_seq(group, seq)
    try:
        if what == "send":
            await chat.messages.send(draft(group, who, f"{seq}"))
        elif target is not None:
            await change(chat, group, what, target, who)
    except AppError:
        pass


async def change(chat, group, what, target, who) -> None:
    """Change a message."""
    place = (group, target.message_id)
    if what == "answer":
        await chat.messages.send(draft(group, who, thread_seq=target.seq))
    elif what == "edit":
        await chat.messages.edit(who, *place, Edit(text=f"edit {target.revision}"))
    elif what in ("react", "unreact"):
        is_added = what == "react"
        await chat.reactions.react(who, *place, "👍", is_added=is_added)
    elif what == "delete":
        await chat.messages.delete(who, *place)
    else:
        await getattr(chat.pins, what)(who, *place)


async def state(chat, group) -> dict:
    """Return what REST shows, as a client keeps it."""
    page = await chat.messages.page(ADA, group, limit=200)
    return {m.message_id: plain(message_wire(m)) for m in page.messages}


def plain(message: dict) -> dict:
    """Return a message as it goes over the wire."""
    return msgspec.to_builtins(message)


async def converges(steps, cut) -> None:
    """Live all the way, live then filled, and filled all the way end alike."""
    chat = Chat()
    async with chat.writer.running():
        group = await chat.group(GRACE)
        for _ in range(3):
            await chat.messages.send(draft(group))
        live, late = Client(), Client()
        async with chat.watching(group):
            first = await chat.sync.changes(ADA, group, since=0, limit=100)
            for client in (live, late):
                fill(client, group, first)
            for step in steps:
                await act(chat, group, step)
        told = [(p["revision"], p) for _, _, p in chat.rooms.emitted]
        for revision, payload in told:
            live.take(revision, payload)
        for revision, payload in told[:cut]:
            late.take(revision, payload)
        rest = await chat.sync.changes(ADA, group, since=late.revision, limit=500)
        fill(late, group, rest)
        stored = await state(chat, group)
        for client in (live, late):
            found = {key: plain(one) for key, one in client.messages.items()}
            assert found == stored
        await check_counts(chat, group)


def fill(client, group, changes) -> None:
    """Let a client take what the database tells."""
    for revision, item in items_of(group, changes):
        if item.event.startswith("message."):
            client.take(revision, item.payload)
    client.revision = max(client.revision, changes.revision)


async def check_counts(chat, group) -> None:
    """The count of a thread is the number of its stored answers."""
    page = await chat.messages.page(ADA, group, limit=200)
    for message in page.messages:
        answers = [m.seq for m in page.messages if m.thread_seq == message.seq]
        assert message.reply_count == len(answers)
        assert message.last_reply_seq == max(answers, default=None)


@given(STEPS, st.integers(0, 20))
@settings(max_examples=30, deadline=None)
def test_a_client_ends_where_the_server_is(steps, cut) -> None:
    """Live events, fills and catching up tell one state, by the documented merge."""
    asyncio.run(converges(steps, cut))
