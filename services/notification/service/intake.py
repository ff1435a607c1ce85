"""Takes what happened in conversations: who is told is written down here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from libs.kernel import Clock, ConversationId, EventId, UnavailableError, UserId
from services.notification.domain.conversations import (
    Conversation,
    Excerpt,
    Member,
    ReadMark,
    SentMessage,
)
from services.notification.domain.decision import Timing, candidates, decide
from services.notification.domain.delivery import Origin
from services.notification.domain.people import Person
from services.notification.ports import (
    ConversationRepository,
    DeliveryRepository,
    DeviceRepository,
    NotificationRepository,
    PeopleRepository,
    Session,
)
from services.notification.service import drafts
from services.notification.service.drafts import Told

Place = tuple[ConversationId, UserId]


class ConversationUnknownError(UnavailableError):
    """A message came before the conversation it was sent in; it will come."""

    def __init__(self, conversation_id: ConversationId) -> None:
        super().__init__(
            "conversation_unknown",
            "The conversation's beginning was not seen yet.",
            conversation_id=conversation_id,
        )


@dataclass(frozen=True)
class Arrival:
    """A message.sent, opened, and the event it came with."""

    message: SentMessage
    origin: Origin

    @property
    def conversation_id(self) -> ConversationId:
        """Where it was sent."""
        return self.message.excerpt.conversation_id


class _Round:
    """The messages of one transaction, decided one after the other.

    Who answers has read what came before: later messages of the round see that.
    """

    def __init__(
        self,
        conversations: Mapping[ConversationId, Conversation],
        members: Mapping[ConversationId, dict[UserId, Member]],
        people: Mapping[UserId, Person],
    ) -> None:
        self._conversations = conversations
        self._members = members
        self._people = people
        self._told: list[Told] = []
        self.answers: dict[Place, ReadMark] = {}
        self.catching_up: set[Place] = set()

    def take(self, arrival: Arrival, clock: Clock, timing: Timing) -> None:
        """Decide who is told of one message, and move its sender's marker."""
        members = self._members[arrival.conversation_id]
        decisions = decide(
            arrival.message,
            self._conversations[arrival.conversation_id],
            members,
            self._people,
            now=clock.now(),
            timing=timing,
        )
        excerpt = arrival.message.excerpt
        if decisions:
            self._told.append(Told(excerpt, arrival.origin, decisions))
        self._answer(excerpt, members)

    @property
    def told(self) -> list[Told]:
        """The messages that somebody is told of, with who has answered them since."""
        return [replace(one, read_by=self._read_by(one)) for one in self._told]

    def _read_by(self, told: Told) -> frozenset[UserId]:
        excerpt = told.excerpt
        marks = {
            one.user_id: self.answers.get((excerpt.conversation_id, one.user_id))
            for one in told.decisions
        }
        return frozenset(
            user_id
            for user_id, mark in marks.items()
            if mark is not None and mark.read_seq >= excerpt.seq
        )

    def _answer(self, excerpt: Excerpt, members: dict[UserId, Member]) -> None:
        place = (excerpt.conversation_id, excerpt.sender_id)
        known = self.answers.get(place)
        read_seq = max(excerpt.seq, known.read_seq if known else 0)
        self.answers[place] = ReadMark(*place, read_seq)
        sender = members.get(excerpt.sender_id)
        if sender is None or sender.read_seq < excerpt.seq - 1:
            self.catching_up.add(place)
        if sender is not None and sender.read_seq < read_seq:
            members[excerpt.sender_id] = replace(sender, read_seq=read_seq)


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
        self, arrivals: Sequence[Arrival], session: Session
    ) -> set[EventId]:
        """Decide who is told of messages and write it down, in few round trips.

        A sender has read up to their own message: it moves their marker.

        Args:
            arrivals: In order; each event once.
            session: The transaction that makes it happen once.

        Returns:
            The events of conversations whose conversation.created was not seen yet
            (`ConversationUnknownError`); nothing was done for them.
        """
        wanted = {arrival.conversation_id for arrival in arrivals}
        known = await self._conversations.get(wanted, session)
        members = await self._conversations.members(known, session)
        people = await self._people.get(_readers(arrivals, known, members), session)
        taken = _Round(known, members, people)
        unknown: set[EventId] = set()
        for arrival in arrivals:
            if arrival.conversation_id in known:
                taken.take(arrival, self._clock, self._timing)
            else:
                unknown.add(arrival.origin.event_id)
        await self._conversations.put_reads(list(taken.answers.values()), session)
        # Before the new entries: those that are read are written as such.
        await self._notifications.mark_conversations_read(
            [taken.answers[place] for place in taken.catching_up], session
        )
        await self._write_down(taken.told, session)
        return unknown

    async def take_edited(self, edit: Excerpt, session: Session) -> None:
        """Replace the text of a message, even of one that is still to come.

        Nothing is kept of a conversation that is deleted, whatever comes late.

        Args:
            edit: An early excerpt (`Excerpt.is_early`).
            session: The transaction that makes it happen once.
        """
        place = edit.conversation_id
        known = (await self._conversations.get([place], session)).get(place)
        if known is None or not known.is_deleted:
            await self._conversations.put_excerpts([edit], session)

    async def take_deleted(self, tombstone: Excerpt, session: Session) -> None:
        """Forget a message that was taken back; waiting deliveries find it gone."""
        await self._conversations.put_excerpts([tombstone], session)
        await self._notifications.drop_message(tombstone.message_id, session)

    async def take_reads(self, marks: Sequence[ReadMark], session: Session) -> None:
        """Raise read markers; deliveries up to them are cancelled when they are due."""
        highest: dict[Place, ReadMark] = {}
        for mark in marks:
            place = (mark.conversation_id, mark.user_id)
            known = highest.get(place)
            if known is None or known.read_seq < mark.read_seq:
                highest[place] = mark
        await self._conversations.put_reads(list(highest.values()), session)
        await self._notifications.mark_conversations_read(
            list(highest.values()), session
        )

    async def _write_down(self, told: Sequence[Told], session: Session) -> None:
        if not told:
            return
        # What is not kept was taken back before its message.sent came through.
        kept = await self._conversations.put_excerpts(
            [one.excerpt for one in told], session
        )
        told = [one for one in told if one.excerpt.message_id in kept]
        now = self._clock.now()
        await self._notifications.add(drafts.entries(told, now), session)
        await self._queue_pushes(told, session)
        mails = drafts.mails(told, now, self._timing)
        if mails:
            await self._deliveries.add_to_mails(mails, session)

    async def _queue_pushes(self, told: Sequence[Told], session: Session) -> None:
        wanting = {
            decision.user_id
            for one in told
            for decision in one.unread
            if decision.push_due_at is not None
        }
        if not wanting:
            return
        devices = await self._devices.of_users(wanting, session)
        pushes = drafts.pushes(told, devices, self._clock.now(), self._timing)
        if pushes:
            await self._deliveries.add(pushes, session)


def _readers(
    arrivals: Sequence[Arrival],
    conversations: Mapping[ConversationId, Conversation],
    members: Mapping[ConversationId, Mapping[UserId, Member]],
) -> set[UserId]:
    """Return whose preferences decide."""
    return {
        user_id
        for one in arrivals
        if one.conversation_id in conversations
        for user_id in candidates(
            one.message,
            conversations[one.conversation_id],
            members[one.conversation_id],
        )
    }
