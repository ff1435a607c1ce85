"""A delivered AMQP message as the consuming side sees it."""

from aiormq.abc import DeliveredMessage
from aiormq.channel import Channel

from libs.events.consuming.ports import Headers
from libs.events.rabbitmq.link import AMQP_ERRORS


class RabbitDelivery:
    """`libs.events.consuming.ports.Delivery`.

    Settling is best effort: on a channel that closed meanwhile the broker has taken
    the message back already, and the inbox skips what is done.
    """

    __slots__ = ("_channel", "_message", "headers")

    def __init__(self, channel: Channel, message: DeliveredMessage) -> None:
        self._channel = channel
        self._message = message
        properties = message.header.properties
        self.headers: Headers = (properties.headers or {}) if properties else {}  # type: ignore[assignment]  # AMQP's own value types; ours are text and int

    @property
    def body(self) -> bytes:
        """The frame."""
        return self._message.body

    @property
    def delivery_count(self) -> int:
        """The quorum queue's count of earlier deliveries; 0 where it keeps none."""
        return int(self.headers.get("x-delivery-count", 0))

    async def ack(self) -> None:
        """Settle it."""
        try:
            await self._channel.basic_ack(self._tag, wait=False)
        except AMQP_ERRORS:
            return

    async def hand_back(self) -> None:
        """Return it to the queue; nack, which 4.3 does not count as a failure."""
        try:
            await self._channel.basic_nack(self._tag, requeue=True, wait=False)
        except AMQP_ERRORS:
            return

    @property
    def _tag(self) -> int:
        return self._message.delivery_tag or 0
