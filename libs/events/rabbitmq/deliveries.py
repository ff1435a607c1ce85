"""A delivered AMQP message as the consuming side sees it."""

from libs.events.consuming.ports import Headers
from libs.events.rabbitmq.channel import LeanChannel


class RabbitDelivery:
    """`libs.events.consuming.ports.Delivery`.

    Settling is best effort: on a channel that closed meanwhile the broker has taken
    the message back already, and the inbox skips what is done.
    """

    __slots__ = ("_channel", "_tag", "body", "headers")

    def __init__(
        self, channel: LeanChannel, tag: int, body: bytes, headers: Headers
    ) -> None:
        self._channel = channel
        self._tag = tag
        self.body = body
        self.headers = headers

    @property
    def delivery_count(self) -> int:
        """The quorum queue's count of earlier deliveries; 0 where it keeps none."""
        return int(self.headers.get("x-delivery-count", 0))

    async def ack(self) -> None:
        """Settle it."""
        self._channel.acknowledge(self._tag)

    async def hand_back(self) -> None:
        """Return it to the queue; nack, which 4.3 does not count as a failure."""
        self._channel.hand_back(self._tag)
