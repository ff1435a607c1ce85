"""What a stored conversation looks like to who checks it."""

from collections.abc import AsyncIterator
from typing import Protocol

from libs.kernel import ConversationId
from services.chat.domain.integrity import (
    SeenConversation,
    SeenMember,
    SeenMessage,
    SeenText,
)


class InspectionStore(Protocol):
    """Streams of everything that is stored, opened to see whether it opens."""

    async def count(self) -> int:
        """Return about how many conversations there are, deleted ones too."""
        ...

    async def conversation_ids(self, *, after: str, limit: int) -> list[ConversationId]:
        """Return conversations in the order of their ids, deleted ones too."""
        ...

    async def conversation(
        self, conversation_id: ConversationId
    ) -> SeenConversation | None:
        """Return a conversation as it is stored now, or None."""
        ...

    def messages(self, conversation_id: ConversationId) -> AsyncIterator[SeenMessage]:
        """Yield all messages and stubs in the order of seq, as it is stored."""
        ...

    def message_revisions(self, conversation_id: ConversationId) -> AsyncIterator[int]:
        """Yield the revision of every message and stub, in order."""
        ...

    def own_writings(self, conversation_id: ConversationId) -> AsyncIterator[SeenText]:
        """Yield the drafts, notes and scheduled messages of a conversation."""
        ...

    def members(self, conversation_id: ConversationId) -> AsyncIterator[SeenMember]:
        """Yield all memberships, ended ones too, in no order."""
        ...
