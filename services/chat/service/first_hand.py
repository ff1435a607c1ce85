"""Messages from their commit to the sockets, ahead of the broker.

A process that has committed messages tells its own sockets and its siblings at once,
encoded once for all of them. Whoever was told finds nothing new in the events that the
broker brings later. Nothing rests on it: what a sibling is not told it learns from the
broker, in the same order and once. Source: ADR 0041.
"""

from collections.abc import Sequence

from libs.events.catalog.message import MessageSent
from services.chat.domain.message import Message
from services.chat.ports import Rooms
from services.chat.ports.partitions import Siblings, ToldMessage
from services.chat.service.items import LiveItem
from services.chat.service.live import LiveDelivery
from services.chat.service.wire import message_event


class FirstHand:
    """Tells sockets of committed messages.

    Args:
        live: Orders and delivers, here.
        rooms: Encodes.
        siblings: The other chat processes.
    """

    def __init__(self, live: LiveDelivery, rooms: Rooms, siblings: Siblings) -> None:
        self._live = live
        self._rooms = rooms
        self._siblings = siblings

    def stored(self, messages: Sequence[Message]) -> None:
        """Tell of messages that this process has just committed, in their order."""
        if not self._siblings.are_linked:
            messages = [m for m in messages if self._live.is_watched(m.conversation_id)]
        told = [self._encoded(message) for message in messages]
        self.told(told)
        self._siblings.tell(told)

    def told(self, messages: Sequence[ToldMessage]) -> None:
        """Deliver what was just committed, here or by a sibling."""
        for message in messages:
            item = LiveItem(MessageSent.event_type, message.payload, seq=message.seq)
            self._live.offer(message.conversation_id, message.revision, item)

    def _encoded(self, message: Message) -> ToldMessage:
        return ToldMessage(
            message.conversation_id,
            message.revision,
            message.seq,
            self._rooms.encode(message_event(message)),
        )
