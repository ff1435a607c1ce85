"""What the core of chat needs from outside, as Protocols."""

from services.chat.ports.attachments import AttachmentRepository
from services.chat.ports.bans import BanRepository
from services.chat.ports.conversations import ActiveAt, ConversationRepository, JoinedAt
from services.chat.ports.delivery import (
    ClientSocket,
    MessageWriter,
    PresenceState,
    PresenceStore,
    RemovalChannel,
    Rooms,
    TransportSealer,
    TypingChannel,
)
from services.chat.ports.inspection import InspectionStore
from services.chat.ports.invites import InviteRepository
from services.chat.ports.jobs import EraserStore, JobStore, Work
from services.chat.ports.keys import DataKeyStore, KeyCount, StoredKey
from services.chat.ports.messages import (
    Changed,
    Changes,
    MessageRepository,
    Page,
    PinnedAt,
)
from services.chat.ports.personal import (
    BookmarkRepository,
    DraftRepository,
    MentionCounter,
    OwnChanges,
    OwnItem,
    OwnStores,
    PersonalRepository,
)
from services.chat.ports.presence import ContactRepository, PresenceCardRepository
from services.chat.ports.rates import SharedBuckets
from services.chat.ports.retention import Lease, RetentionStore
from services.chat.ports.scheduled import DueAt, ScheduledRepository
from services.chat.ports.session import Session
from services.chat.ports.threads import ThreadRepository
from services.chat.ports.users import UserRepository
from services.chat.ports.versions import VersionRepository
from services.chat.ports.writing import Append, SentKey, WriterStore, WriteState

__all__ = [
    "ActiveAt",
    "Append",
    "AttachmentRepository",
    "BanRepository",
    "BookmarkRepository",
    "Changed",
    "Changes",
    "ClientSocket",
    "ContactRepository",
    "ConversationRepository",
    "DataKeyStore",
    "DraftRepository",
    "DueAt",
    "EraserStore",
    "InspectionStore",
    "InviteRepository",
    "JobStore",
    "JoinedAt",
    "KeyCount",
    "Lease",
    "MentionCounter",
    "MessageRepository",
    "MessageWriter",
    "OwnChanges",
    "OwnItem",
    "OwnStores",
    "Page",
    "PersonalRepository",
    "PinnedAt",
    "PresenceCardRepository",
    "PresenceState",
    "PresenceStore",
    "RemovalChannel",
    "RetentionStore",
    "Rooms",
    "ScheduledRepository",
    "SentKey",
    "Session",
    "SharedBuckets",
    "StoredKey",
    "ThreadRepository",
    "TransportSealer",
    "TypingChannel",
    "UserRepository",
    "VersionRepository",
    "Work",
    "WriteState",
    "WriterStore",
]
