"""Where the message writer reads and appends."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from libs.kernel import ConversationId, UserId
from services.chat.domain.conversation import Conversation, Role
from services.chat.domain.message import Message
from services.chat.domain.thread import Follow, Touch
from services.chat.ports.session import Session

SentKey = tuple[ConversationId, UserId, str]
"""Conversation, sender, client_message_id: names a sent message for ever."""


class WriteState(msgspec.Struct, kw_only=True):
    """What the writer remembers of a conversation between two commits.

    Attributes:
        roles: Of the senders that were looked up at ``members_version``; a user
            that was looked up and is no member is absent.
        sent_at: Of the newest message of each of them, where slow mode asks for it.
            One that is far back is absent.
    """

    conversation: Conversation
    last_seq: int
    revision: int
    members_version: int
    roles: dict[UserId, Role]
    sent_at: dict[UserId, datetime] = msgspec.field(default_factory=dict)


class Append(msgspec.Struct, frozen=True, kw_only=True):
    """New messages of one conversation, and the state they were planned on.

    Attributes:
        touches: What answers among them do to who follows their threads.
    """

    conversation_id: ConversationId
    expected_seq: int
    expected_revision: int
    expected_members_version: int
    messages: tuple[Message, ...]
    touches: tuple[Touch, ...] = ()


class WriterStore(Protocol):
    """Where the message writer reads and appends."""

    async def load_states(
        self, wanted: Mapping[ConversationId, Iterable[UserId]]
    ) -> dict[ConversationId, WriteState]:
        """Read conversations with the roles of some users.

        Membership is read after the conversation, so that a change in between
        shows as a newer ``members_version`` at commit time. Where a conversation
        is in slow mode, so is told when those users last sent.
        """
        ...

    async def renew_keys(self, appends: Sequence[Append], now: datetime) -> None:
        """Give the conversations of a batch another data key where it is due.

        A comparison a conversation where none is. What fails is tried again later,
        and never holds a message up.
        """
        ...

    async def append(
        self, appends: Sequence[Append], *, session: Session
    ) -> list[Follow]:
        """Write a batch in the caller's transaction, by compare-and-set.

        Returns:
            The follows that began with it, with their users' new revisions.

        Raises:
            StaleConversationError: At least one conversation has moved on.
            DuplicateMessageError: At least one message is stored already.
        """
        ...

    def note_sent(self, messages: Iterable[Message]) -> None:
        """Take note of committed messages: their senders have read up to them.

        Reads of this process see it at once, others within about a second.
        """
        ...

    async def find_sent(self, keys: Sequence[SentKey]) -> dict[SentKey, Message]:
        """Return those of the messages that are stored, never to be rolled back."""
        ...
