"""Publishes with confirms: a channel per exchange, so that one cannot hurt another."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta

from aiormq.exceptions import ChannelPreconditionFailed, PublishError
from pamqp.common import FieldValue

from libs.events import metrics
from libs.events.envelope import encode_frame
from libs.events.errors import BrokerAwayError, PublishRefusedError
from libs.events.frames import Frame
from libs.events.rabbitmq.channel import LeanChannel
from libs.events.rabbitmq.encoding import Template, frame_template, make_template
from libs.events.rabbitmq.link import AMQP_ERRORS, Link, is_cancelled
from libs.events.tracing import publish_span


class Publisher:
    """Puts messages on exchanges and waits for the broker's word."""

    def __init__(self, link: Link, app_id: str, timeout: timedelta) -> None:
        self._link = link
        self._app_id = app_id
        self._timeout_seconds = timeout.total_seconds()
        self._channels: dict[str, LeanChannel] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    @property
    def is_connected(self) -> bool:
        """Whether publishing is worth a try."""
        return self._link.is_connected

    async def wait_until_connected(self) -> None:
        """Return when publishing is worth a try."""
        await self._link.wait_until_connected()

    async def publish_frame(self, frame: Frame, *, is_persistent: bool = True) -> None:
        """Publish a frame of events; see `libs.events.outbox.FramePublisher`."""
        count = len(frame.rows)
        metrics.of(metrics.published, frame.type).inc(count)
        body = encode_frame([row.body for row in frame.rows])

        def template_on(number: int) -> Template:
            return frame_template(
                number,
                frame.exchange,
                frame.type,
                self._app_id,
                count,
                is_persistent=is_persistent,
            )

        traceparents = [row.traceparent for row in frame.rows]
        with publish_span(frame.exchange, frame.type, traceparents):
            await self._publish(frame.exchange, template_on, body)

    async def publish(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        *,
        event_type: str,
        headers: Mapping[str, FieldValue],
    ) -> None:
        """Publish one message and return when the broker has confirmed it.

        Raises:
            BrokerAwayError: No confirm; it may or may not be there.
            PublishRefusedError: Returned as unroutable, or too large.
        """

        def template_on(number: int) -> Template:
            return make_template(
                number,
                exchange,
                routing_key,
                event_type=event_type,
                app_id=self._app_id,
                headers=headers,
                is_persistent=True,
            )

        await self._publish(exchange, template_on, body)

    async def _publish(
        self, exchange: str, template_on: Callable[[int], Template], body: bytes
    ) -> None:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                channel = await self._channel(exchange)
                # Blocked by an alarm, the broker reads nothing: what is written, and
                # written again after each timeout, would pile up in this process.
                await channel.connection.ready()
                await channel.publish(template_on(channel.number), body)
        except PublishError as err:
            raise PublishRefusedError("returned: no queue takes it") from err
        except ChannelPreconditionFailed as err:
            raise PublishRefusedError(str(err)) from err
        except asyncio.CancelledError as err:
            if is_cancelled():
                raise
            raise BrokerAwayError("the connection closed") from err
        except AMQP_ERRORS as err:
            raise BrokerAwayError(type(err).__name__) from err

    async def _channel(self, exchange: str) -> LeanChannel:
        channel = self._channels.get(exchange)
        if channel is not None and not channel.is_closed:
            return channel
        async with self._locks.setdefault(exchange, asyncio.Lock()):
            channel = self._channels.get(exchange)
            if channel is None or channel.is_closed:
                channel = await self._link.channel(has_confirms=True)
                self._channels[exchange] = channel
        return channel
