"""The short way through the driver: what goes on the wire, what comes off it."""

import asyncio
from types import SimpleNamespace

import pytest
from aiormq import spec
from aiormq.base import FutureStore
from aiormq.exceptions import (
    ChannelInvalidStateError,
    ChannelNotFoundEntity,
    ChannelPreconditionFailed,
    DeliveryError,
    PublishError,
)
from hypothesis import given
from hypothesis import strategies as st
from pamqp.body import ContentBody
from pamqp.frame import marshal, unmarshal
from pamqp.header import ContentHeader

from libs.events.rabbitmq.channel import LeanChannel
from libs.events.rabbitmq.encoding import frame_template, make_template
from libs.events.rabbitmq.settlements import Settlements

FRAME_MAX = 1000
TEMPLATE = frame_template(3, "a.events", "a.b", "chat", 2, is_persistent=True)


def frames_of(payload):
    """Decode what went on the wire."""
    found = []
    while payload:
        size, _, frame = unmarshal(payload)
        payload = payload[size:]
        found.append(frame)
    return found


def acks_of(settlements):
    """Return (tag, multiple) of each ack, and the tag of each nack."""
    return [
        (frame.delivery_tag, frame.multiple)
        if isinstance(frame, spec.Basic.Ack)
        else frame.delivery_tag
        for frame in frames_of(b"".join(settlements.take()))
    ]


class Connection:
    """A driver's connection that only keeps what a channel writes."""

    publisher_confirms = True
    is_opened = False
    connection_tune = SimpleNamespace(frame_max=FRAME_MAX, heartbeat=1)

    def __init__(self):
        self.loop = asyncio.get_running_loop()
        self.write_queue = asyncio.Queue(10)
        self.channels = {}
        self.store = FutureStore(self.loop)

    def _future_store_child(self):
        return self.store.get_child()

    async def written(self):
        """Return the frames of the next write."""
        async with asyncio.timeout(10):
            return frames_of((await self.write_queue.get()).payload)


@pytest.fixture
async def wire():
    """Return a connection and a channel on it."""
    connection = Connection()
    channel = LeanChannel(connection, 3, has_confirms=True)
    yield connection, channel
    await channel.close(ChannelInvalidStateError("over"))


async def give(channel, *frames):
    """Let the connection read frames."""
    for frame in frames:
        await channel.frames.put((0, frame))


def content(body, **properties):
    """Return the frames of a content."""
    header = ContentHeader(
        body_size=len(body), properties=spec.Basic.Properties(**properties)
    )
    half = len(body) // 2
    return header, ContentBody(body[:half]), ContentBody(body[half:])


def test_a_template_is_what_the_driver_would_write():
    """But for id and body, byte by byte."""
    message_id = "0" * 35 + "7"
    properties = spec.Basic.Properties(
        content_type="application/cloudevents-batch+json",
        delivery_mode=2,
        message_id=message_id,
        message_type="a.b",
        app_id="chat",
        headers={"x-attempt": 1, "x-count": 2},
    )
    method = spec.Basic.Publish(exchange="a.events", routing_key="a.b", mandatory=True)
    header = ContentHeader(body_size=5, properties=properties)
    expected = [method, header, ContentBody(b"[1,2]")]
    payload = TEMPLATE.fill(message_id.encode(), b"[1,2]", FRAME_MAX)
    assert payload == b"".join(marshal(frame, 3) for frame in expected)


def test_a_large_body_takes_several_frames():
    """None larger than the broker allows; an unset type is left out."""
    template = make_template(
        3, "a", "b", event_type="", app_id="c", headers={}, is_persistent=False
    )
    frames = frames_of(template.fill(b"i" * 36, b"x" * 2500, FRAME_MAX))
    assert [len(frame.value) for frame in frames[2:]] == [1000, 1000, 500]
    assert frames[1].body_size == 2500
    assert frames[1].properties.delivery_mode == 1


async def test_what_one_turn_publishes_is_one_write(wire):
    """In order, each with an id of its own."""
    connection, channel = wire
    for number in range(3):
        channel.publish(TEMPLATE, b"[%d]" % number)
    frames = await connection.written()
    assert [frame.value for frame in frames[2::3]] == [b"[0]", b"[1]", b"[2]"]
    assert len({frame.properties.message_id for frame in frames[1::3]}) == 3
    assert connection.write_queue.empty()


async def test_a_full_writer_is_waited_for(wire):
    """What was published while it was busy follows."""
    connection, channel = wire
    for _ in range(10):
        connection.write_queue.put_nowait(None)
    channel.publish(TEMPLATE, b"[1]")
    await asyncio.sleep(0)
    for _ in range(10):
        connection.write_queue.get_nowait()
    assert (await connection.written())[2].value == b"[1]"


async def test_confirms_end_what_they_name(wire):
    """One, or all up to it; a nack is an error, an unknown tag is nothing."""
    _, channel = wire
    confirms = [channel.publish(TEMPLATE, b"[]") for _ in range(5)]
    await give(channel, spec.Basic.Ack(delivery_tag=2), spec.Basic.Ack(delivery_tag=9))
    assert [confirm.done() for confirm in confirms] == [False, True] + [False] * 3
    confirms[0].cancel()
    await give(channel, spec.Basic.Ack(delivery_tag=3, multiple=True))
    assert [confirm.done() for confirm in confirms] == [True] * 3 + [False] * 2
    await give(channel, spec.Basic.Nack(delivery_tag=4))
    with pytest.raises(DeliveryError):
        await confirms[3]
    assert not confirms[4].done()


async def test_a_returned_message_fails_though_it_is_confirmed(wire):
    """The broker returns it first and confirms it then."""
    connection, channel = wire
    first, second = (channel.publish(TEMPLATE, b"[]") for _ in range(2))
    frames = await connection.written()
    returned = frames[4].properties.message_id
    await give(
        channel,
        spec.Basic.Return(reply_code=312, reply_text="NO_ROUTE", routing_key="a.b"),
        *content(b"[]", message_id=returned),
        spec.Basic.Ack(delivery_tag=2, multiple=True),
    )
    await first
    with pytest.raises(PublishError):
        await second


@pytest.mark.parametrize(
    ("reason", "error"),
    [
        (ChannelPreconditionFailed("too large"), ChannelPreconditionFailed),
        (asyncio.CancelledError(), ChannelInvalidStateError),
    ],
)
async def test_a_channel_that_closes_fails_what_is_unconfirmed(wire, reason, error):
    """With its reason; nothing is published on it any more."""
    _, channel = wire
    confirm = channel.publish(TEMPLATE, b"[]")
    await channel.close(reason)
    with pytest.raises(error):
        await asyncio.wait_for(confirm, 10)
    with pytest.raises(ChannelInvalidStateError):
        channel.publish(TEMPLATE, b"[]")


async def test_deliveries_are_taken_whole(wire):
    """Body parts joined, headers beside; an empty body needs no part."""
    _, channel = wire
    taken = []
    channel.receive = lambda *delivery: taken.append(delivery)
    await give(
        channel,
        spec.Basic.Deliver(consumer_tag="c", delivery_tag=1),
        *content(b"[1,2]", headers={"x-attempt": 2}),
        spec.Basic.Deliver(consumer_tag="c", delivery_tag=2),
        ContentHeader(),
    )
    assert taken == [(1, b"[1,2]", {"x-attempt": 2}), (2, b"", {})]


async def test_what_settles_is_told_in_one_write_before_the_channel_closes(wire):
    """Else the broker would deliver it again."""
    connection, channel = wire
    taken = []
    channel.receive = lambda tag, *_: taken.append(tag)
    for tag in (1, 2, 3):
        deliver = spec.Basic.Deliver(consumer_tag="c", delivery_tag=tag)
        await give(channel, deliver, ContentHeader())
    for tag in taken:
        channel.acknowledge(tag)
    connection.is_opened = True
    closing = asyncio.create_task(channel.close())
    (ack,) = await connection.written()
    assert (ack.delivery_tag, ack.multiple) == (3, True)
    (close,) = await connection.written()
    assert isinstance(close, spec.Channel.Close)
    await give(channel, spec.Channel.CloseOk())
    await closing


async def test_nothing_is_written_behind_the_end_of_a_channel(wire):
    """The broker would close the connection, and with it everybody's channels."""
    connection, channel = wire
    connection.is_opened = True
    channel.receive = lambda *_: None
    deliver = spec.Basic.Deliver(consumer_tag="c", delivery_tag=1)
    await give(channel, deliver, ContentHeader())
    closing = asyncio.create_task(channel.close())
    assert isinstance((await connection.written())[0], spec.Channel.Close)
    channel.acknowledge(1)
    with pytest.raises(ChannelInvalidStateError):
        channel.publish(TEMPLATE, b"[]")
    await asyncio.sleep(0.01)
    assert connection.write_queue.empty()
    await give(channel, spec.Channel.CloseOk())
    await closing


async def test_nothing_is_written_once_the_broker_has_closed_a_channel(wire):
    """Neither what waits to be written, nor what is published or settled later."""
    connection, channel = wire
    channel.receive = lambda *_: None
    deliver = spec.Basic.Deliver(consumer_tag="c", delivery_tag=1)
    await give(channel, deliver, ContentHeader())
    confirm = channel.publish(TEMPLATE, b"[]")
    await give(channel, spec.Channel.Close(reply_code=404, reply_text="NOT_FOUND"))
    channel.acknowledge(1)
    with pytest.raises(ChannelInvalidStateError):
        channel.publish(TEMPLATE, b"[]")
    with pytest.raises(ChannelNotFoundEntity):
        await asyncio.wait_for(confirm, 10)
    (close_ok,) = await connection.written()
    assert isinstance(close_ok, spec.Channel.CloseOk)
    assert connection.write_queue.empty()


def test_what_is_open_before_an_ack_stays_open():
    """Several at once only where nothing before them is under way."""
    settlements = Settlements(1)
    for tag in range(1, 7):
        settlements.expect(tag)
    for tag in (2, 4):
        settlements.ack(tag)
    assert acks_of(settlements) == [(2, False), (4, False)]
    for tag in (3, 1, 6):
        settlements.ack(tag)
    assert acks_of(settlements) == [(3, True), (6, False)]
    settlements.ack(5)
    assert acks_of(settlements) == [(5, False)]
    assert acks_of(settlements) == []


def test_a_delivery_is_settled_once():
    """Neither a second word nor one about an unknown delivery reaches the broker."""
    settlements = Settlements(1)
    for tag in (1, 2):
        settlements.expect(tag)
        settlements.ack(tag)
        settlements.ack(tag)
        settlements.hand_back(tag)
    settlements.ack(9)
    assert acks_of(settlements) == [(2, True)]
    settlements.ack(1)
    assert acks_of(settlements) == []


@given(st.data())
def test_any_order_of_settling_settles_each_once(data):
    """What a frame covers is settled: never a delivery that is still under way."""
    settlements, unsettled, told = Settlements(1), [], set()
    expected = 0
    for step in data.draw(st.lists(st.sampled_from(["come", "ack", "back", "tell"]))):
        if step == "come":
            expected += 1
            settlements.expect(expected)
            unsettled.append(expected)
        elif step == "tell":
            for word in acks_of(settlements):
                tag, is_multiple = word if isinstance(word, tuple) else (word, False)
                covered = set(range(1, tag + 1)) - told if is_multiple else {tag}
                assert covered.isdisjoint(unsettled)
                assert covered.isdisjoint(told)
                assert covered
                told |= covered
            assert told == set(range(1, expected + 1)) - set(unsettled)
        elif unsettled:
            index = data.draw(st.integers(0, len(unsettled) - 1))
            tag = unsettled.pop(index)
            settlements.ack(tag) if step == "ack" else settlements.hand_back(tag)


def test_what_goes_back_is_not_acknowledged():
    """It is told first, and never the last of several."""
    settlements = Settlements(1)
    for tag in range(1, 5):
        settlements.expect(tag)
    settlements.ack(1)
    settlements.hand_back(3)
    settlements.ack(2)
    assert acks_of(settlements) == [3, (2, True)]
    settlements.hand_back(4)
    assert acks_of(settlements) == [4]
