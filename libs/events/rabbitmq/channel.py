"""The driver's channel with a shorter way for what every event costs.

The driver makes a task a delivery, a lock, a timer and two registered futures a
publish, and a write to the socket for each. Here deliveries and confirms are taken
where the connection reads them, and what one turn of the loop publishes and
acknowledges is one write. All else (opening, declaring, closing, a lost connection)
is the driver's own. ADR 0005.
"""

import asyncio
import os
from collections import OrderedDict
from collections.abc import Callable
from itertools import count
from typing import Any

from aiormq import spec
from aiormq.abc import (
    AbstractConnection,
    ChannelFrame,
    DeliveredMessage,
    ExceptionType,
)
from aiormq.channel import Channel
from aiormq.exceptions import ChannelInvalidStateError, DeliveryError, PublishError
from pamqp.common import FieldTable
from pamqp.header import ContentHeader

from libs.events.rabbitmq.encoding import ID_LENGTH, Template
from libs.events.rabbitmq.settlements import Settlements

Receive = Callable[[int, bytes, FieldTable], None]
"""Takes a delivery: tag, body and headers; returns at once and never raises."""

_FRAME_BUFFER = 10
_TAG_DIGITS = 16
_FULL_PAUSE_SECONDS = 0.005


class LeanChannel(Channel):
    """A channel to publish with confirms, or to consume one queue.

    Attributes:
        receive: Who takes the deliveries of the one consumer on it.
    """

    def __init__(
        self, connection: AbstractConnection, number: int, *, has_confirms: bool
    ) -> None:
        super().__init__(
            connection,
            number,
            publisher_confirms=has_confirms,
            frame_buffer=_FRAME_BUFFER,
            on_return_raises=has_confirms,
        )
        self.frames = _Inbound(self._take)  # the driver's reader has not begun yet
        self.receive: Receive | None = None
        self._id_prefix = os.urandom((ID_LENGTH - _TAG_DIGITS) // 2).hex()
        self._unconfirmed: OrderedDict[int, asyncio.Future[None]] = OrderedDict()
        self._method: spec.Basic.Deliver | spec.Basic.Return | None = None
        self._header = ContentHeader()
        self._parts: list[bytes] = []
        self._missing_bytes = 0
        self._outgoing: list[bytes] = []
        self._settlements = Settlements(number)
        self._is_flushing = False
        self._is_leaving = False
        self.closing.add_done_callback(self._fail_unconfirmed)

    def publish(self, template: Template, body: bytes) -> asyncio.Future[None]:
        """Publish a message; the future ends with the broker's word.

        Its errors: `PublishError` for a returned message, `DeliveryError` for a nack,
        whatever closed the channel.

        Raises:
            ChannelInvalidStateError: The channel is closed.
        """
        if self._is_leaving or self.is_closed:
            raise ChannelInvalidStateError("closed")
        self.delivery_tag += 1
        message_id = f"{self._id_prefix}{self.delivery_tag:0{_TAG_DIGITS}x}"
        confirm: asyncio.Future[None] = self.loop.create_future()
        self._unconfirmed[self.delivery_tag] = confirm
        self._outgoing.append(
            template.fill(message_id.encode(), body, self.max_content_size)
        )
        self._flush_soon()
        return confirm

    def acknowledge(self, tag: int) -> None:
        """Settle a delivery."""
        self._settlements.ack(tag)
        self._flush_soon()

    def hand_back(self, tag: int) -> None:
        """Let the broker deliver it again."""
        self._settlements.hand_back(tag)
        self._flush_soon()

    def _take(self, frame: Any) -> bool:  # noqa: ANN401 - any of the driver's frames
        """Take a frame of a delivery, a return or a confirm; False: the driver's."""
        kind = type(frame)
        if kind is spec.Basic.Ack or kind is spec.Basic.Nack:
            self._confirm(frame)
        elif kind is spec.Basic.Return or (
            kind is spec.Basic.Deliver and self.receive is not None
        ):
            self._method = frame
        elif self._method is None:
            if kind is spec.Channel.Close or kind is spec.Channel.CloseOk:
                self._is_leaving = True
            return False
        else:
            self._take_content(frame)
        return True

    def _take_content(self, frame: Any) -> None:  # noqa: ANN401 - a header or a body
        if type(frame) is ContentHeader:
            self._header, self._parts = frame, []
            self._missing_bytes = frame.body_size
        else:
            self._parts.append(frame.value)
            self._missing_bytes -= len(frame.value)
        if self._missing_bytes <= 0:
            self._finish_content()

    def _finish_content(self) -> None:
        method, self._method = self._method, None
        body = b"".join(self._parts)
        if isinstance(method, spec.Basic.Return):
            self._refuse(method, body)
        elif method is not None and self.receive is not None:
            tag = method.delivery_tag or 0
            self._settlements.expect(tag)
            self.receive(tag, body, self._header.properties.headers or {})

    def _refuse(self, frame: spec.Basic.Return, body: bytes) -> None:
        """Fail the publish whose message came back; its confirm follows and is void."""
        message_id = self._header.properties.message_id or ""
        confirm = self._unconfirmed.get(int(message_id[-_TAG_DIGITS:], 16))
        if confirm is not None and not confirm.done():
            message = DeliveredMessage(frame, self._header, body, self)
            confirm.set_exception(PublishError(message, frame))

    def _confirm(self, frame: spec.Basic.Ack | spec.Basic.Nack) -> None:
        last = frame.delivery_tag or 0
        if not frame.multiple:
            self._answer(self._unconfirmed.pop(last, None), frame)
            return
        while self._unconfirmed and next(iter(self._unconfirmed)) <= last:
            _, confirm = self._unconfirmed.popitem(last=False)
            self._answer(confirm, frame)

    @staticmethod
    def _answer(
        confirm: asyncio.Future[None] | None, frame: spec.Basic.Ack | spec.Basic.Nack
    ) -> None:
        if confirm is None or confirm.done():
            return
        if isinstance(frame, spec.Basic.Ack):
            confirm.set_result(None)
        else:
            confirm.set_exception(DeliveryError(None, frame))

    def _fail_unconfirmed(self, closing: asyncio.Future[Any]) -> None:
        error = None if closing.cancelled() else closing.exception()
        if not isinstance(error, Exception):
            error = ChannelInvalidStateError("closed")
        while self._unconfirmed:
            _, confirm = self._unconfirmed.popitem()
            if not confirm.done():
                confirm.set_exception(error)

    def _flush_soon(self) -> None:
        if not self._is_flushing:
            self._is_flushing = True
            self.loop.call_soon(self._flush)

    async def _on_close(self, exc: ExceptionType | None = None) -> None:
        """Say what is settled, then nothing more, then that the channel closes."""
        self._flush()
        self._is_leaving = True
        await super()._on_close(exc)

    def _flush(self) -> None:
        """Hand the turn's frames to the writer, in order.

        Nothing on a channel that closes: what the broker reads behind the end of a
        channel costs the whole connection.
        """
        self._is_flushing = False
        if self._is_leaving or self.is_closed:
            return
        if self.write_queue.full():
            self._is_flushing = True
            self.loop.call_later(_FULL_PAUSE_SECONDS, self._flush)
            return
        self._outgoing += self._settlements.take()
        if self._outgoing:
            payload = b"".join(self._outgoing)
            self._outgoing.clear()
            self.write_queue.put_nowait(ChannelFrame(payload, should_close=False))


class _Inbound(asyncio.Queue[tuple[int, object]]):
    """Where the connection puts a channel's frames: most go no further."""

    def __init__(self, take: Callable[[object], bool]) -> None:
        super().__init__(_FRAME_BUFFER)
        self._take = take

    async def put(self, item: tuple[int, object]) -> None:
        """Give a frame to the channel, or queue it for the driver."""
        if not self._take(item[1]):
            await super().put(item)


async def open_channel(
    connection: AbstractConnection, *, has_confirms: bool
) -> LeanChannel:
    """Open a channel on the driver's connection, as its own method does.

    Raises:
        ConnectionError: The connection is closed.
    """
    if connection.is_closed:
        raise ConnectionError("closed")
    number = next(n for n in count(1) if n not in connection.channels)
    channel = LeanChannel(connection, number, has_confirms=has_confirms)
    connection.channels[number] = channel
    await channel.open()
    return channel
