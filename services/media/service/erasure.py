"""Erasing what is a person's alone, once they are gone."""

from dataclasses import dataclass

import structlog

from libs.events import EventBus, Transaction
from libs.events.catalog import ErasureCompleted
from services.media.ports import AccessRepository, DocumentRepository, ObjectStore
from services.media.service.documents import DocumentService, erase_objects
from services.media.service.recording import MEDIA

log = structlog.get_logger()

_PAGE = 50


@dataclass(frozen=True, slots=True)
class PersonErasure:
    """The use case that answers `user.deleted`.

    What a person put into a conversation or project stays there: it is the home's, as
    when they leave it, and its owner's id is a pseudonym from then on.
    """

    documents: DocumentRepository
    service: DocumentService
    access: AccessRepository
    store: ObjectStore
    bus: EventBus

    async def erase(self, user_id: str, revision: int) -> int:
        """Erase private files, what never became ready, and the picture shown.

        In pages, harmless to repeat. Bytes go before the row that leads to them, so
        that what a store which is away keeps is found again by the next try.

        Args:
            user_id: Who is gone; nothing is let in for them from now on.
            revision: Of `user.deleted`, higher than that of any profile.

        Returns:
            How many documents were erased now.

        Raises:
            UnavailableError: Store or database do not answer; try it again.

        Emits: media.deleted, one a document; erasure.completed.
        """
        await self.access.put_deletion(user_id, revision)
        count = 0
        while page := await self.documents.private_to(user_id, limit=_PAGE):
            for document in page:
                await erase_objects(self.store, document)
                count += await self.service.commit_deletion(
                    document, user_id, actor_id=MEDIA
                )

        async def report(transaction: Transaction) -> None:
            transaction.publish(
                ErasureCompleted(user_id=user_id, service="media", erased_count=count)
            )

        await self.bus.run_transaction(report)
        log.info("person_erased", user_id=user_id, count=count)
        return count
