"""The use cases on messages, put together."""

from dataclasses import dataclass

from services.chat.service.message_changes import MessageChanges
from services.chat.service.messages import Messages
from services.chat.service.outside import CoreLimits, Outside
from services.chat.service.pins import Pins
from services.chat.service.reactions import Reactions


@dataclass(frozen=True)
class MessageCore:
    """What there is to do with messages."""

    messages: Messages
    reactions: Reactions
    pins: Pins


def build_messages(outside: Outside, limits: CoreLimits) -> MessageCore:
    """Put the use cases together."""
    changes = MessageChanges(
        outside.bus, outside.conversations, outside.messages, outside.writer
    )
    return MessageCore(
        messages=Messages(
            changes,
            outside.conversations,
            outside.messages,
            outside.records.versions,
            writer=outside.writer,
            sealer=outside.sealer,
            clock=outside.clock,
            limits=limits.conversation,
        ),
        reactions=Reactions(changes),
        pins=Pins(
            changes,
            outside.conversations,
            outside.messages,
            clock=outside.clock,
            limits=limits.conversation,
        ),
    )
