"""Mutes: how much of a conversation notifies its member."""

from datetime import datetime

from libs.events import EventBus, Transaction
from libs.events.catalog.personal import ConversationMuted
from libs.kernel import Clock, ConversationId, UserId
from services.chat.domain.personal import Mute, MuteLevel, checked_mute
from services.chat.ports import ConversationRepository, PersonalRepository
from services.chat.service.access import require_access


class Mutes:
    """Mutes conversations for one member; live delivery goes on.

    Args:
        bus: Opens transactions.
        conversations: Conversations and members.
        personal: Where mutes are kept, with the membership: it outlives leaving.
        clock: Decides whether a mute still holds.
    """

    def __init__(
        self,
        bus: EventBus,
        conversations: ConversationRepository,
        personal: PersonalRepository,
        clock: Clock,
    ) -> None:
        self._bus = bus
        self._conversations = conversations
        self._personal = personal
        self._clock = clock

    async def mute(
        self,
        user_id: UserId,
        conversation_id: ConversationId,
        level: MuteLevel,
        until: datetime | None,
    ) -> Mute:
        """Say what of a conversation notifies from now on; the same changes nothing.

        Args:
            user_id: Whose membership.
            conversation_id: Where.
            level: ``none``: nothing; ``mentions``: mentions alone; ``all``: not muted.
            until: When everything notifies again; None: never by itself.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
            DraftInvalidError: ``mute_until_invalid``: the time has passed.

        Emits: conversation.muted.
        """
        mute = checked_mute(level, until, self._clock.now())
        await require_access(self._conversations, user_id, conversation_id)
        known = await self._personal.mutes(user_id, [conversation_id])
        if known.get(conversation_id, Mute()) == mute:
            return mute

        async def change(transaction: Transaction) -> None:
            revision = await self._personal.put_mute(
                conversation_id, user_id, mute, session=transaction.session
            )
            transaction.publish(
                ConversationMuted(
                    user_id=user_id,
                    user_revision=revision,
                    conversation_id=conversation_id,
                    level=mute.level,
                    until=mute.until,
                )
            )

        await self._bus.run_transaction(change)
        return mute
