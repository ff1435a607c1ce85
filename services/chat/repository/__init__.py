"""Chat's collections in MongoDB: indexes, documents, and what is private in them."""

from services.chat.repository.attachments import MongoAttachmentRepository
from services.chat.repository.bans import MongoBanRepository
from services.chat.repository.bookmarks import MongoBookmarkRepository
from services.chat.repository.conversations import MongoConversationRepository
from services.chat.repository.drafts import MongoDraftRepository
from services.chat.repository.erasing import MongoEraserStore
from services.chat.repository.invites import MongoInviteRepository
from services.chat.repository.jobs import MongoJobStore
from services.chat.repository.markers import SenderMarkers
from services.chat.repository.messages import MongoMessageRepository
from services.chat.repository.partitions import MongoPartitionStore
from services.chat.repository.personal import MongoPersonalRepository, own_stores
from services.chat.repository.presence import (
    MongoContactRepository,
    MongoPresenceCards,
)
from services.chat.repository.records import open_records
from services.chat.repository.scheduled import MongoScheduledRepository
from services.chat.repository.schema import Schema
from services.chat.repository.threads import MongoThreadRepository
from services.chat.repository.users import MongoUserRepository
from services.chat.repository.vault import ConversationVault, RenewalLimits
from services.chat.repository.versions import MongoVersionRepository
from services.chat.repository.writing import MongoWriterStore

__all__ = [
    "ConversationVault",
    "MongoAttachmentRepository",
    "MongoBanRepository",
    "MongoBookmarkRepository",
    "MongoContactRepository",
    "MongoConversationRepository",
    "MongoDraftRepository",
    "MongoEraserStore",
    "MongoInviteRepository",
    "MongoJobStore",
    "MongoMessageRepository",
    "MongoPartitionStore",
    "MongoPersonalRepository",
    "MongoPresenceCards",
    "MongoScheduledRepository",
    "MongoThreadRepository",
    "MongoUserRepository",
    "MongoVersionRepository",
    "MongoWriterStore",
    "RenewalLimits",
    "Schema",
    "SenderMarkers",
    "open_records",
    "own_stores",
]
