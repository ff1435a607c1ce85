"""The use cases of chat over any adapters; opens nothing."""

from dataclasses import dataclass

from libs.events import EventBus
from libs.kernel import Clock
from services.chat.domain.limits import Limits
from services.chat.ports import (
    ConversationRepository,
    MessageRepository,
    MessageWriter,
    PresenceStore,
    RemovalChannel,
    Rooms,
    TransportSealer,
    UserRepository,
)
from services.chat.service.announcements import Announcements
from services.chat.service.conversations import Conversations
from services.chat.service.directory import Directory
from services.chat.service.feed import LiveFeed
from services.chat.service.live import LiveDelivery, LiveLimits
from services.chat.service.markers import ReadMarkers
from services.chat.service.members import Members
from services.chat.service.messages import Messages
from services.chat.service.openings import Openings
from services.chat.service.presence import Presence
from services.chat.service.projects import ProjectChannels
from services.chat.service.removals import Removals
from services.chat.service.sync import Sync


@dataclass(frozen=True)
class Outside:
    """What the core stands on: real adapters, or those of a test."""

    bus: EventBus
    conversations: ConversationRepository
    messages: MessageRepository
    users: UserRepository
    writer: MessageWriter
    presence: PresenceStore
    rooms: Rooms
    removals: RemovalChannel
    sealer: TransportSealer
    clock: Clock


@dataclass(frozen=True)
class Core:
    """Every use case, put together."""

    conversations: Conversations
    openings: Openings
    members: Members
    messages: Messages
    sync: Sync
    markers: ReadMarkers
    directory: Directory
    channels: ProjectChannels
    live: LiveDelivery
    feed: LiveFeed
    presence: Presence


@dataclass(frozen=True)
class CoreLimits:
    """What of the settings the core needs.

    Attributes:
        conversation: Of one conversation and of one user.
        live: Patience of live delivery.
        presence_grace_seconds: After a user's last socket.
        presence_heartbeat_seconds: Between two heartbeats of a device.
    """

    conversation: Limits
    live: LiveLimits
    presence_grace_seconds: float
    presence_heartbeat_seconds: float


def build_core(outside: Outside, limits: CoreLimits) -> Core:
    """Put the use cases together."""
    sync = Sync(outside.conversations, outside.messages)
    live = LiveDelivery(
        outside.rooms,
        outside.conversations,
        sync,
        clock=outside.clock,
        limits=limits.live,
    )
    removals = Removals(live, outside.removals)
    conversations = _conversations(outside, limits)
    return Core(
        conversations=conversations,
        openings=_openings(outside, limits, conversations),
        members=_members(outside, limits, removals),
        messages=_messages(outside),
        sync=sync,
        markers=ReadMarkers(outside.bus, outside.conversations, outside.clock),
        directory=Directory(outside.users),
        channels=_channels(outside, removals),
        live=live,
        feed=LiveFeed(live, outside.rooms, outside.conversations, outside.sealer),
        presence=_presence(outside, limits),
    )


def _conversations(outside: Outside, limits: CoreLimits) -> Conversations:
    return Conversations(
        outside.bus,
        outside.conversations,
        writer=outside.writer,
        announcements=Announcements(outside.sealer),
        limits=limits.conversation,
    )


def _openings(
    outside: Outside, limits: CoreLimits, conversations: Conversations
) -> Openings:
    return Openings(
        outside.bus,
        outside.conversations,
        outside.users,
        conversations,
        writer=outside.writer,
        announcements=Announcements(outside.sealer),
        clock=outside.clock,
        limits=limits.conversation,
    )


def _members(outside: Outside, limits: CoreLimits, removals: Removals) -> Members:
    return Members(
        outside.bus,
        outside.conversations,
        outside.users,
        writer=outside.writer,
        removals=removals,
        clock=outside.clock,
        limits=limits.conversation,
    )


def _messages(outside: Outside) -> Messages:
    return Messages(
        outside.bus,
        outside.conversations,
        outside.messages,
        writer=outside.writer,
        sealer=outside.sealer,
        clock=outside.clock,
    )


def _channels(outside: Outside, removals: Removals) -> ProjectChannels:
    return ProjectChannels(
        outside.bus,
        outside.conversations,
        announcements=Announcements(outside.sealer),
        removals=removals,
        clock=outside.clock,
    )


def _presence(outside: Outside, limits: CoreLimits) -> Presence:
    return Presence(
        outside.bus,
        outside.presence,
        outside.clock,
        grace_seconds=limits.presence_grace_seconds,
        heartbeat_seconds=limits.presence_heartbeat_seconds,
    )
