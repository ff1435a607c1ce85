"""The use cases of chat over any adapters; opens nothing."""

from dataclasses import dataclass

from libs.events import EventBus
from libs.kernel import Clock
from services.chat.ports import (
    ConversationRepository,
    MessageRepository,
    PresenceStore,
    Rooms,
    TransportSealer,
    UserRepository,
    WriterStore,
)
from services.chat.service.announcements import Announcements
from services.chat.service.conversations import Conversations
from services.chat.service.directory import Directory
from services.chat.service.feed import LiveFeed
from services.chat.service.live import LiveDelivery, LiveLimits
from services.chat.service.markers import ReadMarkers
from services.chat.service.members import Members
from services.chat.service.messages import Messages
from services.chat.service.presence import Presence
from services.chat.service.projects import ProjectChannels
from services.chat.service.sync import Sync
from services.chat.settings import ChatSettings
from services.chat.writer import GroupCommitWriter, WriterLimits


@dataclass(frozen=True)
class Outside:
    """What the core stands on: real adapters, or those of a test."""

    bus: EventBus
    conversations: ConversationRepository
    messages: MessageRepository
    users: UserRepository
    writing: WriterStore
    presence: PresenceStore
    rooms: Rooms
    sealer: TransportSealer
    clock: Clock


@dataclass(frozen=True)
class Core:
    """Every use case, put together."""

    writer: GroupCommitWriter
    conversations: Conversations
    members: Members
    messages: Messages
    sync: Sync
    markers: ReadMarkers
    directory: Directory
    channels: ProjectChannels
    live: LiveDelivery
    feed: LiveFeed
    presence: Presence


def build_core(outside: Outside, settings: ChatSettings) -> Core:
    """Put the use cases together."""
    writer = GroupCommitWriter(
        outside.bus,
        outside.writing,
        outside.sealer,
        outside.clock,
        limits=WriterLimits(
            lanes=settings.writer_lanes,
            batch=settings.writer_batch,
            queue=settings.writer_queue,
        ),
    )
    sync = Sync(outside.conversations, outside.messages)
    live = LiveDelivery(
        outside.rooms,
        outside.conversations,
        sync,
        clock=outside.clock,
        limits=LiveLimits(patience_seconds=settings.live_patience_seconds),
    )
    return Core(
        writer=writer,
        conversations=_conversations(outside, settings, writer),
        members=_members(outside, settings, writer),
        messages=_messages(outside, writer),
        sync=sync,
        markers=ReadMarkers(outside.bus, outside.conversations, outside.clock),
        directory=Directory(outside.users),
        channels=_channels(outside, writer),
        live=live,
        feed=LiveFeed(live, outside.rooms, outside.conversations, outside.sealer),
        presence=_presence(outside, settings),
    )


def _conversations(
    outside: Outside, settings: ChatSettings, writer: GroupCommitWriter
) -> Conversations:
    return Conversations(
        outside.bus,
        outside.conversations,
        outside.users,
        writer=writer,
        announcements=Announcements(outside.sealer),
        clock=outside.clock,
        members_max=settings.members_max,
    )


def _members(
    outside: Outside, settings: ChatSettings, writer: GroupCommitWriter
) -> Members:
    return Members(
        outside.bus,
        outside.conversations,
        outside.users,
        writer=writer,
        clock=outside.clock,
        members_max=settings.members_max,
    )


def _messages(outside: Outside, writer: GroupCommitWriter) -> Messages:
    return Messages(
        outside.bus,
        outside.conversations,
        outside.messages,
        writer=writer,
        sealer=outside.sealer,
        clock=outside.clock,
    )


def _channels(outside: Outside, writer: GroupCommitWriter) -> ProjectChannels:
    return ProjectChannels(
        outside.conversations,
        writer=writer,
        announcements=Announcements(outside.sealer),
        clock=outside.clock,
    )


def _presence(outside: Outside, settings: ChatSettings) -> Presence:
    return Presence(
        outside.bus,
        outside.presence,
        outside.clock,
        grace_seconds=settings.presence_grace_seconds,
        heartbeat_seconds=settings.presence_heartbeat_seconds,
    )
