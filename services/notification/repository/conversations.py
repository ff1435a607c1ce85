"""Conversations, places of members in them, and excerpts of messages."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pymongo import InsertOne, ReplaceOne, UpdateOne

from libs.chassis.mongo import map_mongo_errors
from libs.kernel import ConversationId, MessageId, UserId
from services.notification.domain.conversations import (
    Conversation,
    ConversationKind,
    Excerpt,
    Member,
    MembershipChange,
    MuteChange,
    MuteLevel,
    ReadMark,
    newest,
)
from services.notification.repository.guard import Database, if_newer
from services.notification.repository.vault import Vault

Session = Any  # pymongo's AsyncClientSession; opaque to the core


class MongoConversationRepository:
    """See `ConversationRepository`.

    Collections ``conversations``, ``members`` and ``excerpts``.
    """

    def __init__(self, database: Database, vault: Vault) -> None:
        self._conversations = database["conversations"]
        self._members = database["members"]
        self._excerpts = database["excerpts"]
        self._vault = vault

    async def get(
        self, conversation_ids: Iterable[ConversationId], session: Session = None
    ) -> dict[ConversationId, Conversation]:
        """Return those whose beginning is known, tombstones too."""
        wanted = list(conversation_ids)
        if not wanted:
            return {}
        with map_mongo_errors():
            found = await self._conversations.find(
                {"_id": {"$in": wanted}}, session=session
            ).to_list()
        return {
            document["_id"]: self._conversation(document)
            for document in found
            if "kind" in document or document.get("is_deleted")
        }

    async def members(
        self, conversation_ids: Iterable[ConversationId], session: Session = None
    ) -> dict[ConversationId, dict[UserId, Member]]:
        """Return the present members of conversations, by user id."""
        members: dict[ConversationId, dict[UserId, Member]]
        members = {one: {} for one in conversation_ids}
        found = await self._members.find(
            {"conversation_id": {"$in": list(members)}, "is_member": True},
            session=session,
        ).to_list()
        for document in found:
            member = _member(document)
            members[member.conversation_id][member.user_id] = member
        return members

    async def places(
        self, pairs: Iterable[tuple[ConversationId, UserId]]
    ) -> dict[tuple[ConversationId, UserId], Member]:
        """Return the places of some users, former members too."""
        wanted = [_place_id(*pair) for pair in pairs]
        if not wanted:
            return {}
        with map_mongo_errors():
            found = await self._members.find({"_id": {"$in": wanted}}).to_list()
        members = [_member(document) for document in found]
        return {(member.conversation_id, member.user_id): member for member in members}

    async def put_creation(
        self,
        conversation_id: ConversationId,
        kind: ConversationKind,
        *,
        revision: int,
        title: str | None,
        session: Session = None,
    ) -> None:
        """Keep that it began; its title unless a newer one is known."""
        await self._conversations.update_one(
            {"_id": conversation_id},
            [
                {"$set": {"kind": {"$literal": kind.value}}},
                *self._titled(conversation_id, revision, title),
            ],
            upsert=True,
            session=session,
        )

    async def put_title(
        self,
        conversation_id: ConversationId,
        *,
        revision: int,
        title: str | None,
        session: Session = None,
    ) -> None:
        """Keep a title, unless a newer revision of it is known."""
        await self._conversations.update_one(
            {"_id": conversation_id},
            self._titled(conversation_id, revision, title),
            upsert=True,
            session=session,
        )

    async def put_deletion(
        self, conversation_id: ConversationId, session: Session = None
    ) -> None:
        """Keep that it is gone, and forget its title; final."""
        await self._conversations.update_one(
            {"_id": conversation_id},
            {"$set": {"is_deleted": True}, "$unset": {"title": True}},
            upsert=True,
            session=session,
        )
        await self._excerpts.delete_many(
            {"conversation_id": conversation_id}, session=session
        )

    async def put_memberships(
        self, changes: Sequence[MembershipChange], session: Session = None
    ) -> None:
        """Keep members that came or went, each unless a newer change is known."""
        if not changes:
            return
        await self._members.bulk_write(
            [_membership_update(change) for change in changes],
            ordered=False,
            session=session,
        )

    async def put_mute(self, change: MuteChange, session: Session = None) -> None:
        """Keep how a place is muted, unless a newer change is known."""
        await self._members.update_one(
            {"_id": _place_id(change.conversation_id, change.user_id)},
            if_newer(
                "mute_revision",
                change.revision,
                {
                    "conversation_id": change.conversation_id,
                    "user_id": change.user_id,
                    "mute_level": change.level.value,
                    "muted_until": change.until,
                },
            ),
            upsert=True,
            session=session,
        )

    async def put_reads(
        self, marks: Sequence[ReadMark], session: Session = None
    ) -> None:
        """Raise read markers; a lower one changes nothing."""
        if not marks:
            return
        await self._members.bulk_write(
            [_read_update(mark) for mark in marks], ordered=False, session=session
        )

    async def excerpts(
        self, message_ids: Iterable[MessageId], session: Session = None
    ) -> dict[MessageId, Excerpt]:
        """Return what is kept of some messages, tombstones too."""
        known = await self._known(message_ids, session)
        return {one: known[one] for one in known if not known[one].is_early}

    async def put_excerpts(
        self, excerpts: Sequence[Excerpt], session: Session = None
    ) -> set[MessageId]:
        """Keep excerpts of different messages, each as `newest` says.

        In a transaction: a version that another one keeps meanwhile is a conflict.
        """
        known = await self._known([new.message_id for new in excerpts], session)
        kept = {
            new.message_id: merged
            for new in excerpts
            if (merged := newest(known.get(new.message_id), new)) is not None
        }
        if kept:
            await self._excerpts.bulk_write(
                [
                    ReplaceOne({"_id": one}, document, upsert=True)
                    if one in known
                    else InsertOne(document)
                    for one, document in zip(
                        kept, map(self._document, kept.values()), strict=True
                    )
                ],
                session=session,
            )
        return set(kept)

    async def _known(
        self, message_ids: Iterable[MessageId], session: Session
    ) -> dict[MessageId, Excerpt]:
        wanted = list(message_ids)
        if not wanted:
            return {}
        with map_mongo_errors():
            found = await self._excerpts.find(
                {"_id": {"$in": wanted}}, session=session
            ).to_list()
        return {document["_id"]: self._excerpt(document) for document in found}

    def _document(self, excerpt: Excerpt) -> dict[str, Any]:
        document = {
            "_id": excerpt.message_id,
            "conversation_id": excerpt.conversation_id,
            "seq": excerpt.seq,
            "revision": excerpt.revision,
            "sender_id": excerpt.sender_id,
            "sent_at": excerpt.sent_at,
            "has_attachments": excerpt.has_attachments,
            "is_deleted": excerpt.is_deleted,
        }
        if excerpt.is_early:
            document["is_early"] = True
        if excerpt.text:
            document["text"] = self._vault.seal(
                excerpt.text, "excerpts", excerpt.message_id, "text"
            )
        return document

    def _titled(
        self, conversation_id: ConversationId, revision: int, title: str | None
    ) -> list[dict[str, Any]]:
        sealed = (
            self._vault.seal(title, "conversations", conversation_id, "title")
            if title
            else None
        )
        return if_newer(
            "title_revision", revision, {"title": sealed}, unless="is_deleted"
        )

    def _conversation(self, document: Mapping[str, Any]) -> Conversation:
        conversation_id = ConversationId(document["_id"])
        return Conversation(
            conversation_id,
            ConversationKind(document.get("kind", "group")),
            title=self._vault.open(
                document.get("title"), "conversations", conversation_id, "title"
            ),
            is_deleted=document.get("is_deleted", False),
        )

    def _excerpt(self, document: Mapping[str, Any]) -> Excerpt:
        message_id = MessageId(document["_id"])
        text = self._vault.open(document.get("text"), "excerpts", message_id, "text")
        return Excerpt(
            message_id=message_id,
            conversation_id=document["conversation_id"],
            seq=document["seq"],
            revision=document["revision"],
            sender_id=document["sender_id"],
            sent_at=document["sent_at"],
            text=text or "",
            has_attachments=document["has_attachments"],
            is_deleted=document["is_deleted"],
            is_early=document.get("is_early", False),
        )


def _place_id(conversation_id: ConversationId, user_id: UserId) -> str:
    return f"{conversation_id}:{user_id}"


def _membership_update(change: MembershipChange) -> UpdateOne:
    return UpdateOne(
        {"_id": _place_id(change.conversation_id, change.user_id)},
        if_newer(
            "revision",
            change.revision,
            {
                "conversation_id": change.conversation_id,
                "user_id": change.user_id,
                "is_member": change.is_member,
            },
        ),
        upsert=True,
    )


def _read_update(mark: ReadMark) -> UpdateOne:
    return UpdateOne(
        {"_id": _place_id(mark.conversation_id, mark.user_id)},
        {
            "$max": {"read_seq": mark.read_seq},
            "$setOnInsert": {
                "conversation_id": mark.conversation_id,
                "user_id": mark.user_id,
                "is_member": False,
            },
        },
        upsert=True,
    )


def _member(document: Mapping[str, Any]) -> Member:
    return Member(
        document["conversation_id"],
        document["user_id"],
        is_member=document.get("is_member", False),
        read_seq=document.get("read_seq", 0),
        mute_level=MuteLevel(document.get("mute_level", MuteLevel.ALL)),
        muted_until=document.get("muted_until"),
    )
