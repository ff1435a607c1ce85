"""Chat's storage in memory; a contract test holds it to MongoDB's behaviour.

Sessions are ignored and nothing rolls back: what can fail is checked before anything
is changed.
"""

from services.chat.repository.memory.attachments import MemoryAttachments
from services.chat.repository.memory.bans import MemoryBans
from services.chat.repository.memory.conversations import MemoryConversations, sent_key
from services.chat.repository.memory.erasing import MemoryEraser
from services.chat.repository.memory.invites import MemoryInvites
from services.chat.repository.memory.jobs import MemoryJobs
from services.chat.repository.memory.mentions import MemoryMentions
from services.chat.repository.memory.messages import MemoryMessages
from services.chat.repository.memory.partitions import MemoryPartitions
from services.chat.repository.memory.personal import (
    MemoryBookmarks,
    MemoryDrafts,
    MemoryPersonal,
)
from services.chat.repository.memory.presence import (
    MemoryContacts,
    MemoryPresenceCards,
)
from services.chat.repository.memory.scheduled import MemoryScheduled
from services.chat.repository.memory.threads import MemoryThreads
from services.chat.repository.memory.users import MemoryUsers
from services.chat.repository.memory.versions import MemoryVersions

__all__ = [
    "MemoryAttachments",
    "MemoryBans",
    "MemoryBookmarks",
    "MemoryContacts",
    "MemoryConversations",
    "MemoryDrafts",
    "MemoryEraser",
    "MemoryInvites",
    "MemoryJobs",
    "MemoryMentions",
    "MemoryMessages",
    "MemoryPartitions",
    "MemoryPersonal",
    "MemoryPresenceCards",
    "MemoryScheduled",
    "MemoryThreads",
    "MemoryUsers",
    "MemoryVersions",
    "sent_key",
]
