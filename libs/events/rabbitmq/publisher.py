"""Publishes with confirms: a channel per exchange, so that one cannot hurt another."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

from aiormq import spec
from aiormq.channel import Channel
from aiormq.exceptions import ChannelPreconditionFailed, PublishError
from pamqp.common import FieldValue

from libs.events import metrics
from libs.events.envelope import CONTENT_TYPE, encode_frame
from libs.events.errors import BrokerAwayError, PublishRefusedError
from libs.events.frames import Frame
from libs.events.rabbitmq.link import AMQP_ERRORS, Link
from libs.events.tracing import publish_span
from libs.kernel import new_id

_PERSISTENT = 2
_TRANSIENT = 1


class Publisher:
    """Puts messages on exchanges and waits for the broker's word."""

    def __init__(self, link: Link, app_id: str, timeout: timedelta) -> None:
        self._link = link
        self._app_id = app_id
        self._timeout_seconds = timeout.total_seconds()
        self._channels: dict[str, Channel] = {}
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
        metrics.published.labels(frame.type).inc(count)
        traceparents = [row.traceparent for row in frame.rows]
        with publish_span(frame.exchange, frame.type, traceparents):
            await self.publish(
                frame.exchange,
                frame.type,
                encode_frame(row.body for row in frame.rows),
                event_type=frame.type,
                headers={"x-attempt": 1, "x-count": count},
                is_persistent=is_persistent,
            )

    async def publish(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        *,
        event_type: str,
        headers: Mapping[str, FieldValue],
        is_persistent: bool = True,
    ) -> None:
        """Publish one message and return when the broker has confirmed it.

        Raises:
            BrokerAwayError: No confirm; it may or may not be there.
            PublishRefusedError: Returned as unroutable, or too large.
        """
        properties = spec.Basic.Properties(
            content_type=CONTENT_TYPE,
            delivery_mode=_PERSISTENT if is_persistent else _TRANSIENT,
            message_id=new_id(),  # fresh: returned messages are matched by it
            message_type=event_type,
            app_id=self._app_id,
            headers=dict(headers),
        )
        try:
            async with asyncio.timeout(self._timeout_seconds):
                channel = await self._channel(exchange)
                await channel.basic_publish(
                    body,
                    exchange=exchange,
                    routing_key=routing_key,
                    properties=properties,
                    mandatory=True,
                    wait=False,
                )
        except PublishError as err:
            raise PublishRefusedError("returned: no queue takes it") from err
        except ChannelPreconditionFailed as err:
            raise PublishRefusedError(str(err)) from err
        except asyncio.CancelledError as err:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise BrokerAwayError("the connection closed") from err
        except AMQP_ERRORS as err:
            raise BrokerAwayError(type(err).__name__) from err

    async def _channel(self, exchange: str) -> Channel:
        channel = self._channels.get(exchange)
        if channel is not None and not channel.is_closed:
            return channel
        async with self._locks.setdefault(exchange, asyncio.Lock()):
            channel = self._channels.get(exchange)
            if channel is None or channel.is_closed:
                channel = await self._link.channel(has_confirms=True)
                self._channels[exchange] = channel
        return channel
