"""Where the message writer reads and appends, in MongoDB."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pymongo import UpdateOne
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError
from pymongo.read_concern import ReadConcern

from libs.chassis.mongo import map_mongo_errors
from libs.kernel import ConversationId, UserId
from services.chat.domain.conversation import Role
from services.chat.domain.errors import DuplicateMessageError, StaleConversationError
from services.chat.domain.message import Message
from services.chat.ports import Append, SentKey, Session, WriteState
from services.chat.repository.documents import (
    NOT_DELETED,
    conversations_of,
    member_key,
)
from services.chat.repository.keys import StoredKeys
from services.chat.repository.message_documents import (
    message_document,
    message_of,
)
from services.chat.repository.vault import ConversationVault

_DUPLICATE_KEY = 11000


class MongoWriterStore:
    """Implements `WriterStore`."""

    def __init__(
        self, database: AsyncDatabase[dict[str, Any]], vault: ConversationVault
    ) -> None:
        self._conversations = database["conversations"]
        self._members = database["members"]
        self._messages = database["messages"]
        # What answers a resend must never be rolled back by an election.
        self._durable = self._messages.with_options(
            read_concern=ReadConcern("majority")
        )
        self._vault = vault
        self._keys = StoredKeys(database, vault)

    async def renew_keys(self, appends: Sequence[Append], now: datetime) -> None:
        """Give conversations another data key where it is due."""
        for append in appends:
            revision = append.expected_revision
            if self._vault.is_due(append.conversation_id, revision, now):
                await self._keys.renew(append.conversation_id, revision, now)

    async def load_states(
        self, wanted: Mapping[ConversationId, Iterable[UserId]]
    ) -> dict[ConversationId, WriteState]:
        """Read conversations, then the roles of some users in them."""
        keys = [
            member_key(conversation_id, user_id)
            for conversation_id, user_ids in wanted.items()
            for user_id in user_ids
        ]
        with map_mongo_errors():
            conversations = await self._conversations.find(
                {"_id": {"$in": list(wanted)}, **NOT_DELETED}
            ).to_list()
            members = await self._members.find(
                {"_id": {"$in": keys}, "is_active": True},
                {"conversation_id": 1, "user_id": 1, "role": 1},
            ).to_list()
        states = {}
        for conversation in await conversations_of(conversations, self._vault):
            states[conversation.conversation_id] = WriteState(
                conversation=conversation,
                last_seq=conversation.last_seq,
                revision=conversation.revision,
                members_version=conversation.members_version,
                roles={},
            )
        for member in members:
            state = states.get(ConversationId(member["conversation_id"]))
            if state is not None:
                state.roles[UserId(member["user_id"])] = Role(member["role"])
        return states

    async def append(self, appends: Sequence[Append], *, session: Session) -> None:
        """Write a batch in the caller's transaction, by compare-and-set."""
        await self._advance(appends, session)
        documents = [
            message_document(message, self._vault)
            for append in appends
            for message in append.messages
        ]
        try:
            await self._messages.insert_many(documents, session=session)
        except BulkWriteError as error:
            if _is_duplicate(error):
                raise DuplicateMessageError from error
            raise
        await self._move_markers(appends, session)

    async def find_sent(self, keys: Sequence[SentKey]) -> dict[SentKey, Message]:
        """Return those of the messages that are stored, on a majority."""
        if not keys:
            return {}
        any_of = [
            {
                "conversation_id": conversation_id,
                "sender_id": sender_id,
                "client_message_id": client_message_id,
            }
            for conversation_id, sender_id, client_message_id in keys
        ]
        with map_mongo_errors():
            documents = await self._durable.find({"$or": any_of}).to_list()
        await self._keys.load(documents)
        found = [message_of(document, self._vault) for document in documents]
        return {(m.conversation_id, m.sender_id, m.client_message_id): m for m in found}

    async def _advance(self, appends: Sequence[Append], session: Session) -> None:
        updates = [
            UpdateOne(
                {
                    "_id": append.conversation_id,
                    "last_seq": append.expected_seq,
                    "revision": append.expected_revision,
                    "members_version": append.expected_members_version,
                },
                {
                    "$set": {
                        "last_seq": append.messages[-1].seq,
                        "revision": append.messages[-1].revision,
                    }
                },
            )
            for append in appends
        ]
        result = await self._conversations.bulk_write(
            updates, ordered=False, session=session
        )
        if result.matched_count != len(updates):
            raise StaleConversationError

    async def _move_markers(self, appends: Sequence[Append], session: Session) -> None:
        """Move each sender's own read marker to their newest message."""
        newest = {
            member_key(append.conversation_id, message.sender_id): message.seq
            for append in appends
            for message in append.messages
        }
        updates = [
            UpdateOne({"_id": key}, {"$max": {"read_seq": seq}})
            for key, seq in newest.items()
        ]
        await self._members.bulk_write(updates, ordered=False, session=session)


def _is_duplicate(error: BulkWriteError) -> bool:
    failures = (error.details or {}).get("writeErrors", [])
    return any(failure.get("code") == _DUPLICATE_KEY for failure in failures)
