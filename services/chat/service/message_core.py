"""The use cases on messages, put together."""

from dataclasses import dataclass

from services.chat.service.attachments import Attachments
from services.chat.service.draft_checks import DraftChecks
from services.chat.service.forwarding import Forwarding
from services.chat.service.message_changes import MessageChanges
from services.chat.service.messages import Messages
from services.chat.service.outside import CoreLimits, Outside
from services.chat.service.pins import Pins
from services.chat.service.reactions import Reactions
from services.chat.service.recording import Recorder
from services.chat.service.scheduling import ScheduledSender, Scheduling
from services.chat.service.threads import Threads


@dataclass(frozen=True)
class MessageCore:
    """What there is to do with messages."""

    messages: Messages
    reactions: Reactions
    pins: Pins
    threads: Threads
    forwarding: Forwarding
    scheduling: Scheduling
    sender: ScheduledSender
    attachments: Attachments


def build_messages(outside: Outside, limits: CoreLimits) -> MessageCore:
    """Put the use cases together."""
    conversations, stored = outside.conversations, outside.messages
    records, bounds = outside.records, limits.conversation
    changes = _changes(outside)
    attachments = Attachments(records.attachments, conversations)
    messages = Messages(
        changes,
        conversations,
        stored,
        records.versions,
        DraftChecks(conversations, stored, attachments, bounds),
        writer=outside.writer,
        sealer=outside.sealer,
        clock=outside.clock,
        limits=bounds,
    )
    return MessageCore(
        messages=messages,
        reactions=Reactions(changes),
        pins=Pins(changes, conversations, stored, clock=outside.clock, limits=bounds),
        threads=Threads(outside.bus, conversations, stored, records.threads),
        forwarding=Forwarding(changes, messages),
        scheduling=Scheduling(
            conversations, records.scheduled, clock=outside.clock, limits=bounds
        ),
        sender=ScheduledSender(
            outside.bus, records.scheduled, messages, clock=outside.clock
        ),
        attachments=attachments,
    )


def _changes(outside: Outside) -> MessageChanges:
    return MessageChanges(
        outside.bus,
        outside.conversations,
        outside.messages,
        outside.writer,
        Recorder(outside.audit),
    )
