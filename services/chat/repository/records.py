"""What is kept beside conversations and messages, put together."""

from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from libs.crypto import FieldSealer
from services.chat.repository.attachments import MongoAttachmentRepository
from services.chat.repository.bans import MongoBanRepository
from services.chat.repository.erasing import MongoEraserStore
from services.chat.repository.invites import MongoInviteRepository
from services.chat.repository.jobs import MongoJobStore
from services.chat.repository.presence import (
    MongoContactRepository,
    MongoPresenceCards,
)
from services.chat.repository.scheduled import MongoScheduledRepository
from services.chat.repository.threads import MongoThreadRepository
from services.chat.repository.vault import ConversationVault
from services.chat.repository.versions import MongoVersionRepository
from services.chat.service.outside import Records


def open_records(
    database: AsyncDatabase[dict[str, Any]],
    vault: ConversationVault,
    sealer: FieldSealer,
) -> Records:
    """Return where all of it is kept."""
    return Records(
        bans=MongoBanRepository(database),
        invites=MongoInviteRepository(database),
        jobs=MongoJobStore(database),
        eraser=MongoEraserStore(database),
        versions=MongoVersionRepository(database, vault),
        threads=MongoThreadRepository(database),
        attachments=MongoAttachmentRepository(database),
        scheduled=MongoScheduledRepository(database, vault),
        cards=MongoPresenceCards(database, sealer),
        contacts=MongoContactRepository(database),
    )
