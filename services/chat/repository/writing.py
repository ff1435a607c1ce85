"""Where the message writer reads and appends, in MongoDB."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import OperationFailure
from pymongo.read_concern import ReadConcern

from libs.chassis.mongo import map_mongo_errors
from libs.kernel import ConversationId, UserId
from services.chat.domain.conversation import Role
from services.chat.domain.errors import DuplicateMessageError, StaleConversationError
from services.chat.domain.message import Message, MessageKind
from services.chat.domain.slow_mode import SLOW_SCAN_MESSAGES
from services.chat.domain.thread import Follow, growth_of
from services.chat.ports import Append, SentKey, Session, WriteState
from services.chat.repository.documents import (
    NOT_DELETED,
    conversations_of,
    member_key,
)
from services.chat.repository.keys import StoredKeys
from services.chat.repository.markers import SenderMarkers
from services.chat.repository.message_documents import (
    message_document,
    message_of,
)
from services.chat.repository.threads import FollowTouches, growth_update
from services.chat.repository.vault import ConversationVault

_DUPLICATE_KEY = 11000


class MongoWriterStore:
    """Implements `WriterStore`."""

    def __init__(
        self,
        database: AsyncDatabase[dict[str, Any]],
        vault: ConversationVault,
        markers: SenderMarkers,
    ) -> None:
        self._markers = markers
        self._conversations = database["conversations"]
        self._members = database["members"]
        self._messages = database["messages"]
        # What answers a resend must never be rolled back by an election.
        self._durable = self._messages.with_options(
            read_concern=ReadConcern("majority")
        )
        self._touches = FollowTouches(database)
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
        for state in states.values():
            if state.conversation.slow_mode_seconds:
                await self._load_sent(state)
        return states

    async def _load_sent(self, state: WriteState) -> None:
        """Learn when senders last sent, from the newest messages alone."""
        query = {
            "conversation_id": state.conversation.conversation_id,
            "seq": {"$gt": state.last_seq - SLOW_SCAN_MESSAGES},
            "sender_id": {"$in": list(state.roles)},
            "kind": {"$ne": MessageKind.SYSTEM.value},
        }
        with map_mongo_errors():
            found = self._messages.find(query, {"sender_id": 1, "sent_at": 1})
            for message in await found.sort("seq", 1).to_list():
                state.sent_at[UserId(message["sender_id"])] = message["sent_at"]

    async def append(
        self, appends: Sequence[Append], *, session: Session
    ) -> list[Follow]:
        """Write a batch in the caller's transaction, by compare-and-set.

        Two commands as they go over the wire: the driver's bulk interface costs more
        than what it carries.
        """
        await self._advance(appends, session)
        documents = [
            message_document(message, self._vault)
            for append in appends
            for message in append.messages
        ]
        answer = await self._messages.database.command(
            "insert", self._messages.name, documents=documents, session=session
        )
        _check(answer)
        return await self._grow_threads(appends, session)

    def note_sent(self, messages: Iterable[Message]) -> None:
        """Move the senders' own markers, soon; see `SenderMarkers`."""
        for message in messages:
            self._markers.note(message.conversation_id, message.sender_id, message.seq)

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

    async def _grow_threads(
        self, appends: Sequence[Append], session: Session
    ) -> list[Follow]:
        """Count answers where they belong: one statement a thread and a follower."""
        messages = [message for append in appends for message in append.messages]
        grown = [growth_update(one) for one in growth_of(messages)]
        if not grown:
            return []
        touches = [one for append in appends for one in append.touches]
        begun, follows = await self._touches.plan(touches, session=session)
        for name, updates in (("messages", grown), ("thread_follows", follows)):
            if not updates:
                continue
            answer = await self._messages.database.command(
                "update", name, updates=updates, session=session
            )
            _check(answer)
        return begun

    async def _advance(self, appends: Sequence[Append], session: Session) -> None:
        updates = [
            {
                "q": {
                    "_id": append.conversation_id,
                    "last_seq": append.expected_seq,
                    "revision": append.expected_revision,
                    "members_version": append.expected_members_version,
                },
                "u": {
                    "$set": {
                        "last_seq": append.messages[-1].seq,
                        "last_message_at": append.messages[-1].sent_at,
                        "revision": append.messages[-1].revision,
                    }
                },
            }
            for append in appends
        ]
        answer = await self._conversations.database.command(
            "update",
            self._conversations.name,
            updates=updates,
            ordered=False,
            session=session,
        )
        _check(answer)
        if answer["n"] != len(updates):
            raise StaleConversationError


def _check(answer: Mapping[str, Any]) -> None:
    """Raise for what a write command reports in its answer, where it has no error.

    Raises:
        DuplicateMessageError: A unique index has the message, or its number, already.
        OperationFailure: Anything else.
    """
    failures = answer.get("writeErrors")
    if not failures:
        return
    failure = failures[0]
    if any(failure["code"] == _DUPLICATE_KEY for failure in failures):
        raise DuplicateMessageError
    raise OperationFailure(failure.get("errmsg", ""), failure["code"], answer)
