"""What the use cases of chat stand on: adapters and limits."""

from dataclasses import dataclass

from libs.events import EventBus
from libs.kernel import Clock
from services.chat.domain.limits import Limits
from services.chat.ports import (
    BanRepository,
    ConversationRepository,
    MessageRepository,
    MessageWriter,
    OwnStores,
    PresenceStore,
    RemovalChannel,
    Rooms,
    TransportSealer,
    UserRepository,
)
from services.chat.service.live import LiveLimits


@dataclass(frozen=True)
class Outside:
    """What the core stands on: real adapters, or those of a test."""

    bus: EventBus
    conversations: ConversationRepository
    messages: MessageRepository
    users: UserRepository
    bans: BanRepository
    own: OwnStores
    writer: MessageWriter
    presence: PresenceStore
    rooms: Rooms
    removals: RemovalChannel
    sealer: TransportSealer
    clock: Clock


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
