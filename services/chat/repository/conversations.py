"""Conversations and members in MongoDB."""

from collections.abc import Sequence
from typing import Any

import msgspec
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from libs.chassis.mongo import map_mongo_errors
from libs.kernel import ConflictError, ConversationId, ProjectId, UserId
from services.chat.domain.conversation import Conversation, Member, Role
from services.chat.domain.errors import StaleConversationError
from services.chat.ports import ActiveAt, JoinedAt, Session
from services.chat.repository.documents import (
    NOT_DELETED,
    OWN_REVISION,
    Document,
    conversation_of,
    conversation_state,
    conversations_of,
    member_key,
    member_of,
    member_state,
    new_conversation,
    profile_state,
)
from services.chat.repository.markers import SenderMarkers
from services.chat.repository.own_stream import RevisionIssuer
from services.chat.repository.vault import DESTROYED, ConversationVault


class MongoConversationRepository:
    """Implements `ConversationRepository`.

    Reads outside a transaction raise `UnavailableError` when the database does not
    answer; inside one the driver's error passes, so that the bus can try again.

    Args:
        database: Of the service.
        vault: Opens what is private.
        markers: Senders' own markers that are not stored yet.
    """

    def __init__(
        self,
        database: AsyncDatabase[dict[str, Any]],
        vault: ConversationVault,
        markers: SenderMarkers,
    ) -> None:
        self._markers = markers
        self._conversations = database["conversations"]
        self._members = database["members"]
        self._issuer = RevisionIssuer(database)
        self._vault = vault

    async def get(
        self, conversation_id: ConversationId, *, session: Session = None
    ) -> Conversation | None:
        """Return a conversation, or None."""
        return await self._find({"_id": conversation_id}, session)

    async def is_deleted(
        self, conversation_id: ConversationId, *, session: Session
    ) -> bool:
        """Tell whether there is a tombstone of a conversation."""
        query = {"_id": conversation_id, "is_deleted": True}
        found = await self._conversations.find_one(query, {"_id": 1}, session=session)
        return found is not None

    async def get_many(
        self, conversation_ids: Sequence[ConversationId]
    ) -> list[Conversation]:
        """Return those that exist, in no order."""
        wanted = {"_id": {"$in": list(conversation_ids)}, **NOT_DELETED}
        with map_mongo_errors():
            found = self._conversations.find(wanted)
            documents = await found.to_list()
        return await conversations_of(documents, self._vault)

    async def find_by_key(
        self, unique_key: str, *, session: Session = None
    ) -> Conversation | None:
        """Return the conversation with a unique key, or None."""
        return await self._find({"unique_key": unique_key}, session)

    async def of_project(
        self, project_id: ProjectId, *, after: str, limit: int
    ) -> list[ConversationId]:
        """Return a project's conversations in the order of their ids."""
        query = {"project_id": project_id, "_id": {"$gt": after}, **NOT_DELETED}
        with map_mongo_errors():
            found = self._conversations.find(query, {"_id": 1}, limit=limit)
            documents = await found.sort("_id", 1).to_list()
        return [ConversationId(document["_id"]) for document in documents]

    async def insert(
        self,
        conversation: Conversation,
        members: Sequence[Member],
        *,
        session: Session,
    ) -> dict[UserId, int]:
        """Store a new conversation with a data key of its own."""
        users = [member.user_id for member in members]
        issued = await self._issuer.issue_many(users, session=session) if users else {}
        document = await new_conversation(conversation, self._vault)
        try:
            await self._conversations.insert_one(document, session=session)
        except DuplicateKeyError as error:
            raise ConflictError(
                "conversation_exists", "There is such a conversation already."
            ) from error
        if members:
            rows = [
                {
                    "_id": member_key(member.conversation_id, member.user_id),
                    "read_seq": member.read_seq,
                    OWN_REVISION: issued[member.user_id],
                    **member_state(member),
                }
                for member in members
            ]
            await self._members.insert_many(rows, session=session)
        return issued

    async def replace(
        self, conversation: Conversation, *, before: Conversation, session: Session
    ) -> None:
        """Store a changed conversation by compare-and-set on its counters."""
        state = conversation_state(conversation)
        state |= profile_state(conversation, self._vault, before)
        await self._compare_and_set(before, state, session)

    async def _compare_and_set(
        self, before: Conversation, state: Document, session: Session
    ) -> None:
        result = await self._conversations.update_one(
            {
                "_id": before.conversation_id,
                "last_seq": before.last_seq,
                "revision": before.revision,
                "members_version": before.members_version,
            },
            {"$set": state},
            session=session,
        )
        if result.matched_count != 1:
            raise StaleConversationError

    async def public_page(
        self, project_id: ProjectId | None, *, after: str, limit: int
    ) -> list[Conversation]:
        """Return public channels of a project, or of none, by id."""
        query: Document = {
            "is_public": True,
            "project_id": project_id,
            "_id": {"$gt": after},
            "is_archived": False,
            **NOT_DELETED,
        }
        with map_mongo_errors():
            found = self._conversations.find(query, limit=limit).sort("_id", 1)
            documents = await found.to_list()
        return [await conversation_of(document, self._vault) for document in documents]

    async def delete(
        self, conversation: Conversation, *, before: Conversation, session: Session
    ) -> None:
        """Leave a tombstone, by compare-and-set on its counters."""
        bare = msgspec.structs.replace(
            conversation, avatar_document_id=None, is_public=False
        )
        await self._compare_and_set(
            before, conversation_state(bare) | {"is_deleted": True}, session
        )
        await self.shred(conversation.conversation_id, session=session)

    async def shred(self, conversation_id: ConversationId, *, session: Session) -> None:
        """Destroy a conversation's data keys, its title and topic, for good."""
        await self._conversations.update_one(
            {"_id": conversation_id},
            {"$set": {"key_id": DESTROYED, "keys": [], "title": None, "topic": None}},
            session=session,
        )
        self._vault.forget(conversation_id)

    async def revisions(
        self, conversation_ids: Sequence[ConversationId]
    ) -> dict[ConversationId, int]:
        """Return the current revision of each that exists, in one query."""
        with map_mongo_errors():
            documents = await self._conversations.find(
                {"_id": {"$in": list(conversation_ids)}}, {"revision": 1}
            ).to_list()
        return {ConversationId(d["_id"]): d["revision"] for d in documents}

    async def get_member(
        self,
        conversation_id: ConversationId,
        user_id: UserId,
        *,
        session: Session = None,
    ) -> Member | None:
        """Return a membership, a tombstone too, or None."""
        query = {"_id": member_key(conversation_id, user_id)}
        if session is not None:
            document = await self._members.find_one(query, session=session)
        else:
            with map_mongo_errors():
                document = await self._members.find_one(query)
        return None if document is None else self._member_of(document)

    async def members_among(
        self,
        conversation_id: ConversationId,
        user_ids: Sequence[UserId],
        *,
        session: Session = None,
    ) -> set[UserId]:
        """Return those of the users that are active members."""
        keys = [member_key(conversation_id, user_id) for user_id in user_ids]
        query: Document = {"_id": {"$in": keys}, "is_active": True}
        wanted = {"user_id": 1}
        if session is not None:
            found = self._members.find(query, wanted, session=session)
            documents = await found.to_list()
        else:
            with map_mongo_errors():
                documents = await self._members.find(query, wanted).to_list()
        return {UserId(document["user_id"]) for document in documents}

    async def put_member(self, member: Member, *, session: Session) -> None:
        """Store a membership, new or changed; its read marker never goes back."""
        revision = await self._issuer.issue(member.user_id, session=session)
        state = member_state(member) | {OWN_REVISION: revision}
        await self._members.update_one(
            {"_id": member_key(member.conversation_id, member.user_id)},
            {"$set": state, "$max": {"read_seq": member.read_seq}},
            upsert=True,
            session=session,
        )

    async def count_members(
        self,
        conversation_id: ConversationId,
        *,
        role: Role | None = None,
        session: Session = None,
    ) -> int:
        """Count active members, all or of one role."""
        query: Document = {"conversation_id": conversation_id, "is_active": True}
        if role is not None:
            query["role"] = role.value
        return await self._members.count_documents(query, session=session)

    async def longest_member(
        self, conversation_id: ConversationId, role: Role, *, session: Session
    ) -> Member | None:
        """Return the active member of a role who joined first, or None."""
        query: Document = {
            "conversation_id": conversation_id,
            "is_active": True,
            "role": role.value,
        }
        order = [("joined_at", 1), ("user_id", 1)]
        document = await self._members.find_one(query, sort=order, session=session)
        return None if document is None else member_of(document)

    async def members_page(
        self,
        conversation_id: ConversationId,
        *,
        after: str,
        limit: int,
        has_ended: bool = False,
    ) -> list[Member]:
        """Return members in the order of their user ids, active ones alone or all."""
        query: Document = {
            "conversation_id": conversation_id,
            "is_active": {"$in": [False, True]} if has_ended else True,
            "user_id": {"$gt": after},
        }
        with map_mongo_errors():
            found = self._members.find(query, limit=limit).sort("user_id", 1)
            return [self._member_of(document) for document in await found.to_list()]

    async def memberships_page(
        self, user_id: UserId, *, before: JoinedAt | None, limit: int
    ) -> list[Member]:
        """Return a user's active memberships, the last joined first."""
        query: Document = {"user_id": user_id, "is_active": True}
        if before is not None:
            query["$or"] = [
                {"joined_at": {"$lt": before.joined_at}},
                {
                    "joined_at": before.joined_at,
                    "conversation_id": {"$lt": before.conversation_id},
                },
            ]
            query["joined_at"] = {"$lte": before.joined_at}  # bounds the index scan
        order = [("joined_at", -1), ("conversation_id", -1)]
        with map_mongo_errors():
            found = self._members.find(query, limit=limit).sort(order)
            return [self._member_of(document) for document in await found.to_list()]

    async def activity(self, user_id: UserId, *, limit: int) -> list[ActiveAt]:
        """Return when something was last said in each of a user's conversations."""
        order = [("joined_at", -1), ("conversation_id", -1)]
        joined: Document = {"user_id": user_id, "is_active": True}
        wanted = {"last_message_at": 1, "created_at": 1}
        with map_mongo_errors():
            members = self._members.find(joined, {"conversation_id": 1}, limit=limit)
            ids = [m["conversation_id"] for m in await members.sort(order).to_list()]
            query = {"_id": {"$in": ids}, **NOT_DELETED}
            found = await self._conversations.find(query, wanted).to_list()
        return [
            ActiveAt(d.get("last_message_at") or d["created_at"], d["_id"])
            for d in found
        ]

    async def memberships_in(
        self, user_id: UserId, conversation_ids: Sequence[ConversationId]
    ) -> list[Member]:
        """Return a user's active memberships among some conversations."""
        query: Document = {
            "user_id": user_id,
            "is_active": True,
            "conversation_id": {"$in": list(conversation_ids)},
        }
        with map_mongo_errors():
            documents = await self._members.find(query).to_list()
        return [self._member_of(document) for document in documents]

    async def advance_read(
        self,
        conversation_id: ConversationId,
        user_id: UserId,
        seq: int,
        *,
        session: Session = None,
    ) -> bool:
        """Move a read marker forward; tell whether it moved."""
        query = {
            "_id": member_key(conversation_id, user_id),
            "read_seq": {"$lt": seq},
        }
        change = {"$set": {"read_seq": seq}}
        if session is not None:
            result = await self._members.update_one(query, change, session=session)
        else:
            with map_mongo_errors():
                result = await self._members.update_one(query, change)
        return result.modified_count == 1

    async def _find(self, query: Document, session: Session) -> Conversation | None:
        if session is not None:
            document = await self._conversations.find_one(query, session=session)
        else:
            with map_mongo_errors():
                document = await self._conversations.find_one(query)
        if document is None:
            return None
        if document.get("is_deleted"):  # its keys leave this process too
            self._vault.forget(document["_id"])
            return None
        return await conversation_of(document, self._vault)

    def _member_of(self, document: Document) -> Member:
        return self._markers.applied(member_of(document))
