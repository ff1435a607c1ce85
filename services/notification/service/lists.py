"""The in-app list as its owner sees it."""

from dataclasses import dataclass, field

from libs.kernel import NotFoundError, UserId
from services.notification.ports import (
    ConversationRepository,
    Notification,
    NotificationRepository,
    PeopleRepository,
)


@dataclass(frozen=True)
class Entry:
    """A notification with the words that belong to it.

    Attributes:
        conversation_title: None for a direct conversation or an untitled one.
        sender_name: Empty while the sender is not known.
        text: Beginning of the message; empty for attachments alone.
    """

    notification: Notification
    conversation_title: str | None = field(repr=False)
    sender_name: str = field(repr=False)
    text: str = field(repr=False)
    has_attachments: bool


class InAppLists:
    """Reads and ticks off in-app notifications.

    Args:
        notifications: The entries.
        conversations: Titles and texts.
        people: Names.
    """

    def __init__(
        self,
        *,
        notifications: NotificationRepository,
        conversations: ConversationRepository,
        people: PeopleRepository,
    ) -> None:
        self._notifications = notifications
        self._conversations = conversations
        self._people = people

    async def page(
        self,
        user_id: UserId,
        *,
        before_id: str | None,
        limit: int,
        is_unread: bool | None,
    ) -> list[Entry]:
        """Return a user's entries, newest first.

        Entries of a conversation that the user has left since lose title and text.
        """
        found = await self._notifications.page(
            user_id, before_id=before_id, limit=limit, is_unread=is_unread
        )
        ids = {entry.conversation_id for entry in found}
        places = await self._conversations.places((i, user_id) for i in ids)
        visible = {pair[0] for pair, place in places.items() if place.is_member}
        conversations = await self._conversations.get(visible)
        excerpts = await self._conversations.excerpts(
            entry.message_id for entry in found if entry.conversation_id in visible
        )
        people = await self._people.get({entry.sender_id for entry in found})
        entries = []
        for entry in found:
            conversation = conversations.get(entry.conversation_id)
            excerpt = excerpts.get(entry.message_id)
            sender = people.get(entry.sender_id)
            entries.append(
                Entry(
                    entry,
                    conversation_title=conversation.title if conversation else None,
                    sender_name=sender.display_name if sender else "",
                    text=excerpt.text if excerpt else "",
                    has_attachments=excerpt.has_attachments if excerpt else False,
                )
            )
        return entries

    async def mark_read(self, user_id: UserId, notification_id: str) -> None:
        """Mark one entry as read; again is no error.

        Raises:
            NotFoundError: The user has no such entry.
        """
        if not await self._notifications.mark_read(user_id, notification_id):
            raise NotFoundError("notification_not_found", "No such notification.")

    async def mark_read_until(self, user_id: UserId, until_id: str) -> int:
        """Mark every entry up to and with an id; return how many were unread."""
        return await self._notifications.mark_read_until(user_id, until_id)
