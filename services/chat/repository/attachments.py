"""The projection of documents in MongoDB."""

from collections.abc import Sequence
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from libs.chassis.mongo import map_mongo_errors
from libs.kernel import ConversationId, DocumentId, ProjectId, UserId
from services.chat.domain.attachment import Attachment, AttachmentStatus
from services.chat.ports import Session
from services.chat.repository.documents import Document


class MongoAttachmentRepository:
    """Implements `AttachmentRepository`."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._documents = database["documents"]

    async def get_many(
        self, document_ids: Sequence[DocumentId], *, session: Session = None
    ) -> dict[DocumentId, Attachment]:
        """Return those that are known."""
        query = {"_id": {"$in": list(document_ids)}}
        if session is not None:
            found = await self._documents.find(query, session=session).to_list()
        else:
            with map_mongo_errors():
                found = await self._documents.find(query).to_list()
        known = [_attachment_of(document) for document in found]
        return {attachment.document_id: attachment for attachment in known}

    async def put(self, attachment: Attachment, *, session: Session) -> None:
        """Store a document, new or changed."""
        document: Document = {
            "status": attachment.status.value,
            "owner_id": attachment.owner_id,
            "conversation_id": attachment.conversation_id,
            "project_id": attachment.project_id,
            "content_type": attachment.content_type,
        }
        await self._documents.replace_one(
            {"_id": attachment.document_id}, document, upsert=True, session=session
        )


def _attachment_of(document: Document) -> Attachment:
    owner, place = document["owner_id"], document["conversation_id"]
    project = document["project_id"]
    return Attachment(
        document_id=DocumentId(document["_id"]),
        status=AttachmentStatus(document["status"]),
        owner_id=None if owner is None else UserId(owner),
        conversation_id=None if place is None else ConversationId(place),
        project_id=None if project is None else ProjectId(project),
        content_type=document.get("content_type"),
    )
