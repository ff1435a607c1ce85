"""What the use cases of chat stand on: adapters and limits."""

from collections.abc import Mapping
from dataclasses import dataclass

from libs.chassis.audit import AuditTrail
from libs.events import EventBus
from libs.kernel import Clock
from libs.kernel.rates import Limit
from services.chat.domain.limits import Limits
from services.chat.domain.rates import Rated
from services.chat.ports import (
    AttachmentRepository,
    BanRepository,
    ContactRepository,
    ConversationRepository,
    EraserStore,
    InviteRepository,
    JobStore,
    MessageRepository,
    MessageWriter,
    OwnStores,
    PresenceCardRepository,
    PresenceStore,
    RemovalChannel,
    Rooms,
    ScheduledRepository,
    SharedBuckets,
    ThreadRepository,
    TransportSealer,
    UserRepository,
    VersionRepository,
)
from services.chat.service.live import LiveLimits


@dataclass(frozen=True)
class Records:
    """What is kept beside conversations and messages."""

    bans: BanRepository
    invites: InviteRepository
    jobs: JobStore
    eraser: EraserStore
    versions: VersionRepository
    threads: ThreadRepository
    attachments: AttachmentRepository
    scheduled: ScheduledRepository
    cards: PresenceCardRepository
    contacts: ContactRepository


@dataclass(frozen=True)
class Outside:
    """What the core stands on: real adapters, or those of a test."""

    bus: EventBus
    conversations: ConversationRepository
    messages: MessageRepository
    users: UserRepository
    own: OwnStores
    records: Records
    buckets: SharedBuckets
    writer: MessageWriter
    presence: PresenceStore
    rooms: Rooms
    removals: RemovalChannel
    sealer: TransportSealer
    audit: AuditTrail
    clock: Clock


@dataclass(frozen=True)
class CoreLimits:
    """What of the settings the core needs.

    Attributes:
        conversation: Of one conversation and of one user.
        rates: How often one user does what is counted.
        messages: Rate of one user's messages in one process.
        live: Patience of live delivery.
        presence_grace_seconds: After a user's last socket.
        presence_heartbeat_seconds: Between two heartbeats of a device.
    """

    conversation: Limits
    rates: Mapping[Rated, Limit]
    messages: Limit
    live: LiveLimits
    presence_grace_seconds: float
    presence_heartbeat_seconds: float
