"""Documents in MongoDB; file names are sealed before they leave the process."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.asynchronous.database import AsyncDatabase

from libs.crypto.fields import FieldSealer
from libs.crypto.sealed import Sealed
from services.media.domain import (
    UNSHARED,
    Document,
    DocumentStatus,
    Rendition,
    Scope,
    private_scope,
    quarantine_key,
)
from services.media.ports import Leftover, Session

_INDEXES = [
    IndexModel(
        [("scope", ASCENDING), ("status", ASCENDING), ("_id", DESCENDING)],
        name="scope_status_id",
    ),
    IndexModel(
        [("status", ASCENDING), ("upload_expires_at", ASCENDING)],
        name="uncleared_by_expiry",
        partialFilterExpression={"is_quarantine_cleared": False},
    ),
    IndexModel([("owner_id", ASCENDING), ("_id", DESCENDING)], name="owner_id"),
]


class MongoDocumentRepository:
    """The `DocumentRepository` on the collection ``documents``."""

    def __init__(
        self, database: AsyncDatabase[dict[str, Any]], sealer: FieldSealer
    ) -> None:
        self._collection = database["documents"]
        self._sealer = sealer

    async def ensure_indexes(self) -> None:
        """Make the indexes that are missing."""
        await self._collection.create_indexes(_INDEXES)

    async def insert(self, document: Document) -> None:
        """Store a new document."""
        await self._collection.insert_one(self._encode(document))

    async def get(self, document_id: str) -> Document | None:
        """Return a document in any status, or None."""
        row = await self._collection.find_one({"_id": document_id})
        return None if row is None else self._decode(row)

    async def replace(
        self,
        document: Document,
        *,
        expected: DocumentStatus,
        session: Session | None = None,
    ) -> bool:
        """Compare-and-set on the status; see `DocumentRepository.replace`."""
        result = await self._collection.replace_one(
            {"_id": document.document_id, "status": expected.value},
            self._encode(document),
            session=session,
        )
        return result.matched_count == 1

    async def remove(self, document_id: str, *, expected: DocumentStatus) -> bool:
        """Remove a row if its status still is the expected one."""
        result = await self._collection.delete_one(
            {"_id": document_id, "status": expected.value}
        )
        return result.deleted_count == 1

    async def mark_quarantine_cleared(self, document_id: str) -> None:
        """Note that nothing of it lies in quarantine any more."""
        await self._collection.update_one(
            {"_id": document_id}, {"$set": {"is_quarantine_cleared": True}}
        )

    async def in_scope(
        self, scope: Scope, *, before_id: str | None, limit: int
    ) -> list[Document]:
        """Return ready documents of a home, newest first."""
        query: dict[str, Any] = {
            "scope": scope.key,
            "status": DocumentStatus.READY.value,
        }
        if before_id is not None:
            query["_id"] = {"$lt": before_id}
        rows = self._collection.find(query).sort("_id", DESCENDING).limit(limit)
        return [self._decode(row) async for row in rows]

    async def of_owner(
        self, owner_id: str, *, before_id: str | None, limit: int
    ) -> list[Document]:
        """Return what somebody uploaded and is not deleted, newest first."""
        query: dict[str, Any] = {
            "owner_id": owner_id,
            "status": {"$ne": DocumentStatus.DELETED.value},
        }
        if before_id is not None:
            query["_id"] = {"$lt": before_id}
        cursor = self._collection.find(query).sort("_id", DESCENDING).limit(limit)
        return [self._decode(row) async for row in cursor]

    async def living_in_scope(self, scope: Scope, *, limit: int) -> list[Document]:
        """Return documents of a home that are not deleted."""
        living = [status.value for status in DocumentStatus]
        living.remove(DocumentStatus.DELETED.value)
        query = {"scope": scope.key, "status": {"$in": living}}
        return [
            self._decode(row) async for row in self._collection.find(query, limit=limit)
        ]

    async def private_to(self, owner_id: str, *, limit: int) -> list[Document]:
        """Return what nobody but its owner has of a person's documents."""
        living = [status.value for status in DocumentStatus]
        living.remove(DocumentStatus.DELETED.value)
        alone = [
            {"scope": private_scope(owner_id).key, "status": {"$in": living}},
            {"status": {"$in": [status.value for status in UNSHARED]}},
        ]
        query = {"owner_id": owner_id, "$or": alone}
        return [
            self._decode(row) async for row in self._collection.find(query, limit=limit)
        ]

    async def uncleared(
        self, statuses: Collection[DocumentStatus], *, before: datetime, limit: int
    ) -> list[Leftover]:
        """Return documents that may have something in quarantine, oldest first."""
        query = {
            "status": {"$in": [status.value for status in statuses]},
            "is_quarantine_cleared": False,
            "upload_expires_at": {"$lt": before},
        }
        rows = self._collection.find(query, {"storage_key": 1})
        rows = rows.sort("upload_expires_at", ASCENDING).limit(limit)
        return [
            Leftover(row["_id"], quarantine_key(row["storage_key"]))
            async for row in rows
        ]

    def _encode(self, document: Document) -> dict[str, Any]:
        sealed = None
        if document.file_name:
            sealed = self._sealer.seal(
                document.file_name, "document", document.document_id, "file_name"
            )
        return {
            "_id": document.document_id,
            "owner_id": document.owner_id,
            "scope": document.scope.key,
            "status": document.status.value,
            "file_name": sealed and {"k": sealed.key_id, "c": sealed.ciphertext},
            "content_type": document.content_type,
            "size_bytes": document.size_bytes,
            "storage_key": document.storage_key,
            "created_at": document.created_at,
            "upload_expires_at": document.upload_expires_at,
            "completed_at": document.completed_at,
            "sha256": document.sha256,
            "width": document.width,
            "height": document.height,
            "renditions": [_encode_rendition(item) for item in document.renditions],
            "reject_reason": document.reject_reason,
            "is_quarantine_cleared": document.is_quarantine_cleared,
        }

    def _decode(self, row: dict[str, Any]) -> Document:
        sealed = row.pop("file_name")
        document_id = row.pop("_id")
        file_name = ""
        if sealed is not None:
            file_name = self._sealer.open(
                Sealed(sealed["k"], sealed["c"]), "document", document_id, "file_name"
            )
        renditions = tuple(Rendition(**item) for item in row.pop("renditions"))
        return Document(
            document_id=document_id,
            file_name=file_name,
            scope=Scope.from_key(row.pop("scope")),
            status=DocumentStatus(row.pop("status")),
            renditions=renditions,
            **row,
        )


def _encode_rendition(rendition: Rendition) -> dict[str, Any]:
    return {
        "name": rendition.name,
        "content_type": rendition.content_type,
        "size_bytes": rendition.size_bytes,
        "width": rendition.width,
        "height": rendition.height,
    }
