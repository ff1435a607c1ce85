"""Publishes a conversation's events with their sealed titles."""

from collections.abc import Mapping, Sequence

from libs.crypto.sealed import Sealed
from libs.events import Transaction
from libs.events.catalog.conversation import (
    ConversationArchived,
    ConversationCreated,
    ConversationRules,
    ConversationUpdated,
)
from libs.kernel import EventId, UserId, new_id
from services.chat.domain.conversation import Conversation, Member
from services.chat.ports import TransportSealer


class Announcements:
    """Seals what is private and adds the event to the caller's transaction."""

    def __init__(self, sealer: TransportSealer) -> None:
        self._sealer = sealer

    def created(
        self,
        transaction: Transaction,
        conversation: Conversation,
        members: Sequence[Member],
        issued: Mapping[UserId, int],
    ) -> None:
        """Publish conversation.created.

        Args:
            transaction: The caller's.
            conversation: What began.
            members: Who is in it.
            issued: The revisions of their own streams.
        """
        event_id = EventId(new_id())
        event = ConversationCreated(
            conversation_id=conversation.conversation_id,
            revision=conversation.revision,
            kind=conversation.kind,
            project_id=conversation.project_id,
            created_by=conversation.created_by,
            members=tuple((member.user_id, str(member.role)) for member in members),
            rules=_rules_of(conversation),
            **self._texts(conversation, event_id, ConversationCreated.event_type),
            user_revisions=tuple(issued[member.user_id] for member in members),
        )
        transaction.publish(event, event_id=event_id)

    def updated(
        self, transaction: Transaction, conversation: Conversation, user_id: UserId
    ) -> None:
        """Publish conversation.updated."""
        event_id = EventId(new_id())
        event = ConversationUpdated(
            conversation_id=conversation.conversation_id,
            revision=conversation.revision,
            updated_by=user_id,
            avatar_document_id=conversation.avatar_document_id,
            rules=_rules_of(conversation),
            **self._texts(conversation, event_id, ConversationUpdated.event_type),
        )
        transaction.publish(event, event_id=event_id)

    def archived(
        self,
        transaction: Transaction,
        conversation: Conversation,
        user_id: UserId | None,
    ) -> None:
        """Publish conversation.archived, for archiving and bringing back."""
        transaction.publish(
            ConversationArchived(
                conversation_id=conversation.conversation_id,
                revision=conversation.revision,
                is_archived=conversation.is_archived,
                archived_by=user_id,
            )
        )

    def _texts(
        self, conversation: Conversation, event_id: EventId, event_type: str
    ) -> dict[str, Sealed | None]:
        """Seal title and topic for an event."""
        subject = conversation.conversation_id
        texts = {"title": conversation.title, "topic": conversation.topic}
        return {
            name: None
            if text is None
            else self._sealer.seal(text, event_id, event_type, name, subject)
            for name, text in texts.items()
        }


def _rules_of(conversation: Conversation) -> ConversationRules:
    return ConversationRules(
        history_visibility=conversation.history_visibility.value,
        slow_mode_seconds=conversation.slow_mode_seconds,
        is_announcement_only=conversation.is_announcement_only,
        has_receipts=conversation.has_receipts,
        is_public=conversation.is_public,
    )
