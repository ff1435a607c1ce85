"""The in-app lists; ids only, the words lie in excerpts and projections."""

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo import DESCENDING, UpdateMany

from libs.chassis.mongo import map_mongo_errors
from libs.kernel import MessageId, UserId
from services.notification.domain.conversations import ReadMark
from services.notification.domain.decision import NotificationKind
from services.notification.ports import Notification
from services.notification.repository.guard import Database
from services.notification.repository.removal import remove_some

Session = Any  # pymongo's AsyncClientSession; opaque to the core

_READ = {"$set": {"is_read": True}}


class MongoNotificationRepository:
    """See `NotificationRepository`; collection ``notifications``."""

    def __init__(self, database: Database) -> None:
        self._entries = database["notifications"]

    async def add(
        self, notifications: Sequence[Notification], session: Session = None
    ) -> None:
        """Add entries."""
        if notifications:
            await self._entries.insert_many(
                [_document(entry) for entry in notifications], session=session
            )

    async def page(
        self,
        user_id: UserId,
        *,
        before_id: str | None,
        limit: int,
        is_unread: bool | None,
    ) -> list[Notification]:
        """Return a user's entries, newest first."""
        query: dict[str, Any] = {"user_id": user_id}
        if before_id is not None:
            query["_id"] = {"$lt": before_id}
        if is_unread is not None:
            query["is_read"] = not is_unread
        with map_mongo_errors():
            found = (
                await self._entries.find(query)
                .sort("_id", DESCENDING)
                .limit(limit)
                .to_list()
            )
        return [_entry(document) for document in found]

    async def mark_read(self, user_id: UserId, notification_id: str) -> bool:
        """Mark one entry as read; False where the user has no such entry."""
        with map_mongo_errors():
            result = await self._entries.update_one(
                {"_id": notification_id, "user_id": user_id}, _READ
            )
        return result.matched_count == 1

    async def mark_read_until(self, user_id: UserId, until_id: str) -> int:
        """Mark all entries up to and with an id; return how many were unread."""
        with map_mongo_errors():
            result = await self._entries.update_many(
                {"user_id": user_id, "is_read": False, "_id": {"$lte": until_id}}, _READ
            )
        return result.modified_count

    async def mark_conversations_read(
        self, marks: Sequence[ReadMark], session: Session = None
    ) -> None:
        """Mark the entries of messages up to each mark as read."""
        if not marks:
            return
        await self._entries.bulk_write(
            [
                UpdateMany(
                    {
                        "user_id": mark.user_id,
                        "conversation_id": mark.conversation_id,
                        "is_read": False,
                        "seq": {"$lte": mark.read_seq},
                    },
                    _READ,
                )
                for mark in marks
            ],
            ordered=False,
            session=session,
        )

    async def drop_message(
        self, message_id: MessageId, session: Session = None
    ) -> None:
        """Remove every entry about a message that was taken back."""
        await self._entries.delete_many({"message_id": message_id}, session=session)

    async def remove_of(self, user_id: UserId, *, limit: int) -> int:
        """Remove some of a user's entries; return how many."""
        return await remove_some(self._entries, {"user_id": user_id}, limit)


def _document(entry: Notification) -> dict[str, Any]:
    return {
        "_id": entry.notification_id,
        "user_id": entry.user_id,
        "kind": entry.kind.value,
        "cause_event_id": entry.cause_event_id,
        "conversation_id": entry.conversation_id,
        "message_id": entry.message_id,
        "seq": entry.seq,
        "sender_id": entry.sender_id,
        "created_at": entry.created_at,
        "is_read": entry.is_read,
    }


def _entry(document: Mapping[str, Any]) -> Notification:
    return Notification(
        notification_id=document["_id"],
        user_id=document["user_id"],
        kind=NotificationKind(document["kind"]),
        cause_event_id=document["cause_event_id"],
        conversation_id=document["conversation_id"],
        message_id=document["message_id"],
        seq=document["seq"],
        sender_id=document["sender_id"],
        created_at=document["created_at"],
        is_read=document["is_read"],
    )
