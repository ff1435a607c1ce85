"""All that somebody ever said, for whoever asks for what is held on them."""

from collections.abc import AsyncIterator

from libs.chassis.whole_lists import WHOLE_LIST_PAGE, paged
from libs.kernel import ConversationId, UserId
from services.chat.domain.message import Message
from services.chat.ports import EraserStore, MessageRepository


class OwnMessages:
    """Reads a person's messages in pages.

    Args:
        places: Tells where somebody ever was.
        messages: What was said there.
    """

    def __init__(self, places: EraserStore, messages: MessageRepository) -> None:
        self._places = places
        self._messages = messages

    async def all(self, user_id: UserId) -> AsyncIterator[Message]:
        """Return them conversation by conversation, in those that were left too."""
        place = await self._places.place_after(user_id, "")
        while place is not None:
            async for message in self._said(user_id, place):
                yield message
            place = await self._places.place_after(user_id, place)

    def _said(self, user_id: UserId, place: ConversationId) -> AsyncIterator[Message]:
        async def page(after: str | None) -> list[Message]:
            return await self._messages.sent_page(
                place, user_id, after=after, limit=WHOLE_LIST_PAGE
            )

        return paged(page, lambda message: message.client_message_id)
