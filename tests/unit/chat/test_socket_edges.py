"""Draining, read markers under cancellation, and what subscriptions cost."""

import asyncio
from datetime import timedelta
from types import SimpleNamespace

import pytest

from libs.events.catalog import ConversationRead
from libs.kernel import FrozenClock, new_id
from services.chat.domain.errors import ConversationNotFoundError
from services.chat.service.items import conversation_room
from services.chat.service.markers import ReadMarkers
from services.chat.sockets.dispatch import Dispatcher, EventRates, Route
from services.chat.sockets.gate import SocketGate
from services.chat.sockets.handlers import SocketHandlers
from services.chat.sockets.payloads import SetPresence, Subscribe
from services.chat.sockets.rates import Gcra, UserRates
from services.chat.sockets.rooms import LocalRooms
from tests.unit.chat.support import ADA, GRACE, MALLORY, Chat, draft
from tests.unit.chat.test_sockets import answered, client


async def test_a_stopping_server_answers_what_it_took() -> None:
    """New events are refused; sockets close after the last acknowledgement."""
    go_on = asyncio.Event()

    async def handle(_on, _payload) -> object:
        await go_on.wait()
        return {"is_done": True}

    clock, rooms, on = FrozenClock(), LocalRooms(), client()
    rooms.add(on)
    dispatcher = Dispatcher({"x": Route(SetPresence, handle)}, EventRates(), clock)
    gate = SocketGate(
        None, None, rooms, live=None, presence=None, clock=clock, sockets_per_user=1
    )
    gate._dispatcher = dispatcher
    dispatcher.on_event(on, '1["x",{"status":"away"}]')
    draining = asyncio.create_task(gate.drain())
    await asyncio.sleep(0)
    dispatcher.on_event(on, '2["x",{"status":"away"}]')
    assert b"draining" in on.socket.frames.pop()
    assert not on.socket.is_closed
    go_on.set()
    await draining
    acknowledged, resync, farewell = on.socket.frames
    assert acknowledged == b'431[{"is_done":true}]'
    assert (b"resync" in resync, farewell) == (True, b"41")
    assert on.socket.is_closed


async def test_a_cancelled_flush_loses_no_read_marker() -> None:
    """What was not announced yet is announced by the next flush."""
    chat = Chat()
    groups = [await chat.group(GRACE) for _ in range(3)]
    async with chat.writer.running():
        for group in groups:
            for _ in range(2):
                await chat.writer.submit(draft(group))
    markers = ReadMarkers(chat.bus, chat.store, chat.personal, chat.clock)
    for group in groups:
        for seq in (1, 2):
            await markers.mark(GRACE, group, seq)
    run, left = chat.bus.run_transaction, [0]

    async def stopping(change):
        left[0] -= 1
        if left[0] < 0:
            raise asyncio.CancelledError
        return await run(change)

    chat.bus.run_transaction = stopping
    with pytest.raises(asyncio.CancelledError):
        await markers.flush()
    chat.bus.run_transaction = run
    await markers.flush()
    await markers.flush()
    told = [e.conversation_id for e in chat.bus.published_of(ConversationRead)]
    assert sorted(told) == sorted(groups * 2)


def test_a_cost_counts_like_so_many_events() -> None:
    """Ten of one or one of ten: the same."""
    limiter = Gcra(10, 20)
    assert limiter.wait_seconds(5.0, 20) == 0
    assert limiter.wait_seconds(5.0, 10) == pytest.approx(1.0)
    assert limiter.wait_seconds(6.0, 10) == 0


def test_all_sockets_of_a_user_share_a_budget() -> None:
    """RL-2: idle users are forgotten, busy ones are not."""
    rates = UserRates(1, 2)
    assert rates.of(ADA, 100.0).wait_seconds(100.0, 2) == 0
    assert rates.of(ADA, 100.0).wait_seconds(100.0) > 0
    assert rates.of(GRACE, 100.0).wait_seconds(100.0) == 0
    assert rates.of(ADA, 140.0).wait_seconds(140.0, 2) == 0
    assert rates.of(ADA, 140.0).wait_seconds(140.0) > 0


async def test_subscribing_costs_by_conversation() -> None:
    """Two hundred ids are two hundred reads of the user's budget."""

    async def handle(_on, _payload) -> object:
        return {}

    clock = FrozenClock()
    route = Route(Subscribe, handle, "subscriptions", lambda p: len(p.conversation_ids))
    dispatcher = Dispatcher({"s": route}, EventRates(reads=(1, 3)), clock)
    ids = f'"{new_id()}","{new_id()}"'
    event = f'1["s",{{"conversation_ids":[{ids}]}}]'
    assert await answered(dispatcher, client(), event) == {}
    refused = await answered(dispatcher, client(sid="s2"), event)
    assert refused["error"]["code"] == "rate_limited"
    clock.advance(timedelta(seconds=1))
    assert await answered(dispatcher, client(sid="s2"), event) == {}


def handlers_of(chat: Chat, rooms: LocalRooms, typing=None) -> SocketHandlers:
    """Return the handlers over memory adapters."""
    return SocketHandlers(
        chat.conversations,
        None,
        live=chat.live,
        rooms=rooms,
        typing=typing,
        own=None,
    )


async def test_subscribing_reads_twice_however_many_there_are() -> None:
    """Conversations, then memberships; what is not the user's is an error."""
    chat, rooms, on = Chat(), LocalRooms(), client(GRACE)
    rooms.add(on)
    mine = [await chat.group(GRACE) for _ in range(3)]
    other = await chat.group(MALLORY)
    reads: list[str] = []
    for name in ("get", "get_many", "get_member", "memberships_in"):
        setattr(chat.store, name, _counted(getattr(chat.store, name), reads, name))
    asked = SimpleNamespace(conversation_ids=[*mine, other, mine[0]])
    for _ in range(2):
        answer = await handlers_of(chat, rooms).subscribe(on, asked)
    assert [c["conversation_id"] for c in answer["conversations"]] == mine
    assert answer["errors"] == [
        {"conversation_id": other, "code": "conversation_not_found"}
    ]
    assert reads == ["get_many", "memberships_in"] * 2
    assert on.rooms == {conversation_room(group) for group in mine}
    assert sorted(chat.live.watched) == sorted(mine)


def _counted(read, reads: list[str], name: str):
    async def counted(*args, **more):
        reads.append(name)
        return await read(*args, **more)

    return counted


async def test_who_was_removed_does_not_type() -> None:
    """Being in the room still is not enough."""
    chat, rooms, on = Chat(), LocalRooms(), client(GRACE)
    rooms.add(on)
    group = await chat.group(GRACE)
    told: list[object] = []

    class Typing:
        async def publish(self, *who) -> None:
            told.append(who)

    handlers = handlers_of(chat, rooms, Typing())
    asked = SimpleNamespace(conversation_id=group)
    rooms.enter(conversation_room(group), on)
    await handlers.start_typing(on, asked)
    await chat.members.remove(ADA, group, GRACE)
    with pytest.raises(ConversationNotFoundError):
        await handlers.start_typing(on, asked)
    assert told == [(group, GRACE)]
