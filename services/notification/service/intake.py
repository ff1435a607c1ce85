"""Takes what happened in conversations: who is told is written down here."""

from datetime import datetime

from libs.kernel import (
    Clock,
    ConversationId,
    UnavailableError,
    UserId,
    new_id,
)
from services.notification.domain.conversations import (
    Excerpt,
    Member,
    SentMessage,
)
from services.notification.domain.decision import Decision, Timing, decide
from services.notification.domain.delivery import (
    Channel,
    Delivery,
    MessageRef,
    Origin,
)
from services.notification.ports import (
    ConversationRepository,
    DeliveryRepository,
    DeviceRepository,
    Notification,
    NotificationRepository,
    PeopleRepository,
    Session,
)


class ConversationUnknownError(UnavailableError):
    """A message came before the conversation it was sent in; it will come."""

    def __init__(self, conversation_id: ConversationId) -> None:
        super().__init__(
            "conversation_unknown",
            "The conversation's beginning was not seen yet.",
            conversation_id=conversation_id,
        )


class MessageIntake:
    """Turns messages into in-app entries and deliveries, in the caller's transaction.

    Args:
        conversations: Projection of conversations, members and excerpts.
        people: Projection of users.
        notifications: In-app lists.
        devices: Where push goes.
        deliveries: The durable queue.
        clock: Time.
        timing: How long each way waits.
    """

    def __init__(  # one parameter a collaborator
        self,
        *,
        conversations: ConversationRepository,
        people: PeopleRepository,
        notifications: NotificationRepository,
        devices: DeviceRepository,
        deliveries: DeliveryRepository,
        clock: Clock,
        timing: Timing,
    ) -> None:
        self._conversations = conversations
        self._people = people
        self._notifications = notifications
        self._devices = devices
        self._deliveries = deliveries
        self._clock = clock
        self._timing = timing

    async def take_sent(
        self, message: SentMessage, origin: Origin, session: Session
    ) -> int:
        """Decide who is told of a message and write it down.

        The sender has read up to their own message: it moves their marker.

        Args:
            message: The opened event.
            origin: The event.
            session: The transaction that makes it happen once.

        Returns:
            How many people are told.

        Raises:
            ConversationUnknownError: conversation.created was not seen; transient.
        """
        excerpt = message.excerpt
        conversation_id = excerpt.conversation_id
        known = await self._conversations.get([conversation_id], session)
        conversation = known.get(conversation_id)
        if conversation is None:
            raise ConversationUnknownError(conversation_id)
        members = await self._conversations.members(conversation_id, session)
        people = await self._people.get(members, session)
        decisions = decide(
            message,
            conversation,
            members,
            people,
            now=self._clock.now(),
            timing=self._timing,
        )
        await self._take_answer(excerpt, members.get(excerpt.sender_id), session)
        if decisions:
            await self._write_down(excerpt, decisions, origin, session)
        return len(decisions)

    async def take_edited(self, edit: Excerpt, session: Session) -> None:
        """Replace the text of a message, even of one that is still to come.

        Args:
            edit: An early excerpt (`Excerpt.is_early`).
            session: The transaction that makes it happen once.
        """
        await self._conversations.put_excerpts([edit], session)

    async def take_deleted(self, tombstone: Excerpt, session: Session) -> None:
        """Forget a message that was taken back; waiting deliveries find it gone."""
        await self._conversations.put_excerpts([tombstone], session)
        await self._notifications.drop_message(tombstone.message_id, session)

    async def take_read(
        self,
        conversation_id: ConversationId,
        user_id: UserId,
        read_seq: int,
        session: Session,
    ) -> None:
        """Raise a read marker; deliveries up to it are cancelled when they are due."""
        await self._conversations.put_read(conversation_id, user_id, read_seq, session)
        await self._notifications.mark_conversation_read(
            user_id, conversation_id, read_seq, session
        )

    async def _take_answer(
        self, excerpt: Excerpt, sender: Member | None, session: Session
    ) -> None:
        """Move the sender's marker to their own message; they have read the rest."""
        conversation_id, user_id = excerpt.conversation_id, excerpt.sender_id
        if sender is not None and sender.read_seq >= excerpt.seq - 1:
            await self._conversations.put_read(
                conversation_id, user_id, excerpt.seq, session
            )
        else:
            await self.take_read(conversation_id, user_id, excerpt.seq, session)

    async def _write_down(
        self,
        excerpt: Excerpt,
        decisions: list[Decision],
        origin: Origin,
        session: Session,
    ) -> None:
        if not await self._conversations.put_excerpts([excerpt], session):
            return  # taken back before its message.sent came through, or told before
        now = self._clock.now()
        await self._notifications.add(
            [_entry(decision, excerpt, origin, now) for decision in decisions], session
        )
        await self._queue_pushes(decisions, excerpt, origin, now, session)
        mails = [
            _delivery(
                Channel.EMAIL,
                decision.user_id,
                decision.user_id,
                excerpt,
                origin,
                created_at=now,
                due_at=decision.email_due_at,
                expires_at=now + self._timing.email_lifetime,
            )
            for decision in decisions
            if decision.email_due_at is not None
        ]
        if mails:
            await self._deliveries.add_to_mails(mails, session)

    async def _queue_pushes(
        self,
        decisions: list[Decision],
        excerpt: Excerpt,
        origin: Origin,
        now: datetime,
        session: Session,
    ) -> None:
        due = {d.user_id: d.push_due_at for d in decisions if d.push_due_at is not None}
        if not due:
            return
        devices = await self._devices.of_users(due, session)
        pushes = [
            _delivery(
                Channel.PUSH,
                device.device_id,
                user_id,
                excerpt,
                origin,
                created_at=now,
                due_at=due[user_id],
                expires_at=now + self._timing.push_lifetime,
            )
            for user_id, owned in devices.items()
            for device in owned
        ]
        if pushes:
            await self._deliveries.add(pushes, session)


def _entry(
    decision: Decision, excerpt: Excerpt, origin: Origin, now: datetime
) -> Notification:
    return Notification(
        notification_id=new_id(),
        user_id=decision.user_id,
        kind=decision.kind,
        cause_event_id=origin.event_id,
        conversation_id=excerpt.conversation_id,
        message_id=excerpt.message_id,
        seq=excerpt.seq,
        sender_id=excerpt.sender_id,
        created_at=now,
    )


def _delivery(
    channel: Channel,
    target: str,
    user_id: UserId,
    excerpt: Excerpt,
    origin: Origin,
    *,
    created_at: datetime,
    due_at: datetime,
    expires_at: datetime,
) -> Delivery:
    return Delivery(
        delivery_id=new_id(),
        channel=channel,
        target=target,
        user_id=user_id,
        origin=origin,
        created_at=created_at,
        due_at=due_at,
        expires_at=expires_at,
        conversation_id=excerpt.conversation_id,
        messages=(MessageRef(excerpt.message_id, excerpt.seq),),
    )
