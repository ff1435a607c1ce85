"""What of a user's presence others are shown."""

from collections.abc import Mapping, Sequence

import msgspec

from libs.kernel import Clock, ConversationId, UserId
from services.chat.domain.presence import CustomStatus, LastSeen, PresenceCard
from services.chat.ports import (
    ContactRepository,
    ConversationRepository,
    PresenceCardRepository,
    PresenceState,
    PresenceStore,
)
from services.chat.service.access import require_access
from services.chat.service.wire import Wire


class PresenceView(msgspec.Struct, frozen=True, kw_only=True):
    """A user's presence as one other sees it.

    Attributes:
        shows_last_seen: Whether the one may learn when the user was last seen.
    """

    user_id: UserId
    state: PresenceState
    custom_status: CustomStatus | None
    shows_last_seen: bool


class PresenceViews:
    """Shows who is there, to whom it may be shown.

    Who hides when they were last seen does not see it of others. Somebody with whom
    one shares no conversation is seen only if both show themselves to everyone.

    Args:
        store: Heartbeats over all the processes.
        cards: What users have chosen to show.
        conversations: Tell who is a member of what.
        contacts: Tell who shares a conversation.
        clock: Tells which statuses hold.
    """

    def __init__(
        self,
        store: PresenceStore,
        cards: PresenceCardRepository,
        conversations: ConversationRepository,
        contacts: ContactRepository,
        *,
        clock: Clock,
    ) -> None:
        self._store = store
        self._cards = cards
        self._conversations = conversations
        self._contacts = contacts
        self._clock = clock

    async def of_members(
        self,
        user_id: UserId,
        conversation_id: ConversationId,
        wanted: Sequence[UserId],
    ) -> list[PresenceView]:
        """Return the presence of members, to a member; others are left out.

        Raises:
            ConversationNotFoundError: The caller is no member.
            UnavailableError: Redis is away.
        """
        await require_access(self._conversations, user_id, conversation_id)
        members = await self._conversations.members_among(conversation_id, wanted)
        return await self._views(user_id, sorted(members), members)

    async def of_users(
        self, user_id: UserId, wanted: Sequence[UserId]
    ) -> list[PresenceView]:
        """Return the presence of users; who is not to be seen is left out.

        Raises:
            UnavailableError: Redis is away.
        """
        contacts = await self._contacts.contacts_among(user_id, wanted)
        return await self._views(user_id, wanted, contacts)

    async def own(self, user_id: UserId) -> tuple[CustomStatus | None, LastSeen]:
        """Return what a user has chosen to show.

        Raises:
            UnavailableError: Redis is away.
        """
        cards = await self._cards.get_many([user_id])
        states = await self._store.states([user_id])
        chosen = _last_seen(user_id, cards, states)
        return self._status(cards.get(user_id)), chosen

    async def _views(
        self, viewer: UserId, wanted: Sequence[UserId], contacts: set[UserId]
    ) -> list[PresenceView]:
        users = list(dict.fromkeys((*wanted, viewer)))
        states = await self._store.states(users)
        cards = await self._cards.get_many(users)
        own = _last_seen(viewer, cards, states)
        views = []
        for user_id in dict.fromkeys(wanted):
            is_contact = user_id == viewer or user_id in contacts
            theirs = _last_seen(user_id, cards, states)
            is_mutual = own.allows(is_contact=is_contact) and theirs.allows(
                is_contact=is_contact
            )
            if is_contact or is_mutual:
                views.append(
                    PresenceView(
                        user_id=user_id,
                        state=states[user_id],
                        custom_status=self._status(cards.get(user_id)),
                        shows_last_seen=is_mutual,
                    )
                )
        return views

    def _status(self, card: PresenceCard | None) -> CustomStatus | None:
        status = None if card is None else card.custom_status
        return status if status and status.holds(self._clock.now()) else None


def _last_seen(
    user_id: UserId,
    cards: Mapping[UserId, PresenceCard],
    states: Mapping[UserId, PresenceState],
) -> LastSeen:
    """Return what a user has chosen; else what the earlier switch meant."""
    card = cards.get(user_id)
    if card is not None and card.last_seen is not None:
        return card.last_seen
    return LastSeen.CONTACTS if states[user_id].keeps_last_seen else LastSeen.NOBODY


def status_wire(status: CustomStatus | None) -> Wire | None:
    """Return a custom status as it is shown."""
    if status is None:
        return None
    return {
        "emoji": status.emoji,
        "text": status.text,
        "expires_at": status.expires_at,
    }


def view_wire(view: PresenceView) -> Wire:
    """Return a presence as it is shown."""
    state = view.state
    return {
        "user_id": view.user_id,
        "status": state.status,
        "last_seen_at": state.last_seen_at if view.shows_last_seen else None,
        "custom_status": status_wire(view.custom_status),
    }
