"""Who is told of a message, how and when; and whether that still holds at the send."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from libs.kernel import UserId
from services.notification.domain.conversations import (
    Conversation,
    ConversationKind,
    Excerpt,
    Member,
    MuteLevel,
    SentMessage,
    unread,
)
from services.notification.domain.delivery import CLAIMS_MAX, Channel, Delivery
from services.notification.domain.people import Person, Presence


class NotificationKind(StrEnum):
    """Why somebody is told."""

    MESSAGE = "message"
    MENTION = "mention"


@dataclass(frozen=True)
class Timing:
    """How long each way waits.

    Attributes:
        online_grace: Before a push to somebody who is online and may be reading.
        email_delay: Before a mail; as often again while the person is online.
        email_patience: After so long a mail goes out even to somebody online.
        push_lifetime: After so long a push is worth nothing.
        email_lifetime: The same for a mail about missed messages.
    """

    online_grace: timedelta = timedelta(seconds=2)
    email_delay: timedelta = timedelta(minutes=2)
    email_patience: timedelta = timedelta(minutes=15)
    push_lifetime: timedelta = timedelta(hours=1)
    email_lifetime: timedelta = timedelta(hours=24)


@dataclass(frozen=True)
class Decision:
    """How one person is told of one message; the in-app list always tells.

    Attributes:
        push_due_at: When devices are told, or None: not at all.
        email_due_at: When a mail is due, or None: not at all.
    """

    user_id: UserId
    kind: NotificationKind
    push_due_at: datetime | None = None
    email_due_at: datetime | None = None


def decide(
    message: SentMessage,
    conversation: Conversation,
    members: Mapping[UserId, Member],
    people: Mapping[UserId, Person],
    *,
    now: datetime,
    timing: Timing,
) -> list[Decision]:
    """Return who is told of a message, by the projections' present state.

    Never the sender, who is not a member, who has read it already, or whose account
    is suspended or deleted; nobody of a system message. In a channel only who is
    mentioned, by name or as one of many. In a muted conversation only who is
    mentioned, and in the list alone. Quiet hours hold back push (for good) and mail
    (until they end).

    Args:
        message: The opened event.
        conversation: Where it was sent.
        members: The members, by user id.
        people: What is known of them; a missing one has the defaults.
        now: Time of the decision.
        timing: Waiting times.
    """
    if conversation.is_deleted:
        return []
    decisions = []
    for user_id in candidates(message, conversation, members):
        person = people.get(user_id) or Person(user_id)
        kind = _kind(message, members[user_id], person, conversation)
        if kind is not None and person.is_reachable:
            member = members[user_id]
            if _is_muted(kind, person, member, now):
                decisions.append(Decision(user_id, kind))
            else:
                decisions.append(_how(kind, person, now, timing))
    return decisions


def candidates(
    message: SentMessage, conversation: Conversation, members: Mapping[UserId, Member]
) -> list[UserId]:
    """Return who may be told at all: a channel has many members, and tells few."""
    if message.is_system:
        return []
    is_to_many = message.mentions_all or message.mentions_here
    if conversation.kind is ConversationKind.CHANNEL and not is_to_many:
        return sorted(message.mentions & members.keys())
    return list(members)


def _kind(
    message: SentMessage, member: Member, person: Person, conversation: Conversation
) -> NotificationKind | None:
    excerpt = message.excerpt
    if not member.is_member or member.user_id == excerpt.sender_id:
        return None
    if member.read_seq >= excerpt.seq:
        return None
    if _is_mentioned(message, person):
        return NotificationKind.MENTION
    is_channel = conversation.kind is ConversationKind.CHANNEL
    return None if is_channel else NotificationKind.MESSAGE


def _is_mentioned(message: SentMessage, person: Person) -> bool:
    is_here = message.mentions_here and person.presence is Presence.ONLINE
    return message.mentions_all or is_here or person.user_id in message.mentions


def _is_muted(
    kind: NotificationKind, person: Person, member: Member, now: datetime
) -> bool:
    """Tell whether the conversation is muted, here or in chat, for such a message."""
    if member.conversation_id in person.preferences.muted_conversation_ids:
        return True
    level = member.level_at(now)
    is_for_mentions = level is MuteLevel.MENTIONS
    return level is MuteLevel.NONE or (
        is_for_mentions and kind is not NotificationKind.MENTION
    )


def _how(
    kind: NotificationKind, person: Person, now: datetime, timing: Timing
) -> Decision:
    """Choose ways and times for somebody who is to be told."""
    preferences = person.preferences
    quiet_until = person.quiet_until(now)
    grace = timing.online_grace if person.presence is Presence.ONLINE else timedelta()
    mail_at = max(now + timing.email_delay, quiet_until or now)
    wants_push = preferences.push_enabled and quiet_until is None
    return Decision(
        person.user_id,
        kind,
        push_due_at=now + grace if wants_push else None,
        email_due_at=mail_at if preferences.email_enabled else None,
    )


@dataclass(frozen=True)
class Send:
    """Send it, telling of these messages (none for a mail about an account)."""

    excerpts: tuple[Excerpt, ...] = ()


@dataclass(frozen=True)
class Cancel:
    """It is no longer wanted."""

    reason: str


@dataclass(frozen=True)
class Defer:
    """It is wanted, later; no try is counted."""

    until: datetime


@dataclass(frozen=True)
class Expire:
    """It is too late to be of use."""


@dataclass(frozen=True)
class GiveUp:
    """It fails without another try."""

    reason: str


Verdict = Send | Cancel | Defer | Expire | GiveUp


@dataclass(frozen=True)
class Circumstances:
    """What is known of a delivery at the moment of sending.

    Attributes:
        person: None where the user is not known (yet).
        conversation: None for a mail about an account.
        member: None where the user has no place in the conversation.
        excerpts: Those of the delivery's messages that are still kept.
        has_target: Whether the device still is this user's, or an address is known.
        is_suppressed: Whether the address was found dead before.
    """

    person: Person | None
    conversation: Conversation | None = None
    member: Member | None = None
    excerpts: Sequence[Excerpt] = ()
    has_target: bool = True
    is_suppressed: bool = False


def judge(
    delivery: Delivery, seen: Circumstances, *, now: datetime, timing: Timing
) -> Verdict:
    """Tell whether a due delivery is still to be sent.

    Presence, read marker, membership, mute, preferences and deletion are looked at
    again here: minutes may have passed since the decision.
    """
    if now >= delivery.expires_at:
        return Expire()
    if delivery.claims > CLAIMS_MAX:
        return GiveUp("abandoned")
    if seen.is_suppressed:
        return GiveUp("address_suppressed")
    if delivery.notice is not None:
        return Send()
    return _judge_message(delivery, seen, now, timing)


def _judge_message(
    delivery: Delivery, seen: Circumstances, now: datetime, timing: Timing
) -> Verdict:
    person = seen.person or Person(UserId(str(delivery.user_id)))
    objection = _objection(delivery, seen, person, now)
    if objection is not None:
        return Cancel(objection)
    excerpts = unread(seen.excerpts, seen.member)
    if not excerpts:
        return Cancel("read")
    if delivery.channel is Channel.PUSH:
        return _judge_push(seen, person, excerpts, now)
    return _judge_mail(delivery, seen, person, excerpts, now=now, timing=timing)


def _objection(
    delivery: Delivery, seen: Circumstances, person: Person, now: datetime
) -> str | None:
    """Return why the person is not to be told at all, or None."""
    preferences = person.preferences
    is_enabled = (
        preferences.push_enabled
        if delivery.channel is Channel.PUSH
        else preferences.email_enabled
    )
    objections = {
        "account_gone": not person.is_reachable,
        "conversation_gone": seen.conversation is None or seen.conversation.is_deleted,
        "not_a_member": seen.member is None or not seen.member.is_member,
        "muted": delivery.conversation_id in preferences.muted_conversation_ids
        or (seen.member is not None and seen.member.level_at(now) is MuteLevel.NONE),
        "disabled": not is_enabled,
    }
    return next((reason for reason, holds in objections.items() if holds), None)


def _judge_push(
    seen: Circumstances, person: Person, excerpts: list[Excerpt], now: datetime
) -> Verdict:
    if not seen.has_target:
        return Cancel("no_target")
    if person.quiet_until(now) is not None:
        return Cancel("quiet_hours")
    return Send(tuple(excerpts))


def _judge_mail(
    delivery: Delivery,
    seen: Circumstances,
    person: Person,
    excerpts: list[Excerpt],
    *,
    now: datetime,
    timing: Timing,
) -> Verdict:
    quiet_until = person.quiet_until(now)
    if quiet_until is not None:
        return Defer(quiet_until)
    is_patient = now < delivery.created_at + timing.email_patience
    # Somebody online may still read it; an address may still be on its way.
    if is_patient and (person.presence is Presence.ONLINE or not seen.has_target):
        return Defer(now + timing.email_delay)
    if not seen.has_target:
        return Cancel("no_target")
    return Send(tuple(excerpts))
