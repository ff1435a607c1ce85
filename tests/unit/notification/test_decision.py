"""Who is told, when and how; and what still holds when it is due."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from libs.kernel import ConversationId, EventId, MessageId, UserId
from services.notification.domain.conversations import (
    Conversation,
    ConversationKind,
    Excerpt,
    Member,
    MuteLevel,
    SentMessage,
)
from services.notification.domain.decision import (
    Cancel,
    Circumstances,
    Decision,
    Defer,
    Expire,
    GiveUp,
    NotificationKind,
    Send,
    Timing,
    Verdict,
    decide,
    judge,
)
from services.notification.domain.delivery import (
    CLAIMS_MAX,
    Channel,
    Delivery,
    MessageRef,
    Notice,
    NoticeKind,
    Origin,
)
from services.notification.domain.people import (
    Person,
    Preferences,
    Presence,
    QuietHours,
)

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
TIMING = Timing()
CONVERSATION = ConversationId("c")
ADA, BOB, CAT = UserId("ada"), UserId("bob"), UserId("cat")
QUIET = Preferences(quiet_hours=QuietHours(time(11), time(13)))
MUTED = Preferences(muted_conversation_ids=frozenset({CONVERSATION}))
EXCERPT = Excerpt(
    MessageId("m"), CONVERSATION, 5, 6, sender_id=ADA, sent_at=NOW, text="hi"
)
MEMBERS = {user: Member(CONVERSATION, user) for user in (ADA, BOB, CAT)}


def decided(
    *,
    kind: ConversationKind = ConversationKind.GROUP,
    mentions: frozenset[UserId] = frozenset(),
    bob: Person | None = None,
    members: dict[UserId, Member] | None = None,
    is_deleted: bool = False,
    **more: bool,
) -> dict[UserId, Decision]:
    """Return what is decided about Ada's message."""
    found = decide(
        SentMessage(EXCERPT, mentions, **more),
        Conversation(CONVERSATION, kind, is_deleted=is_deleted),
        members or MEMBERS,
        {BOB: bob} if bob else {},
        now=NOW,
        timing=TIMING,
    )
    return {decision.user_id: decision for decision in found}


@pytest.mark.parametrize("kind", [ConversationKind.DIRECT, ConversationKind.GROUP])
def test_everybody_but_the_sender_is_told(kind: ConversationKind) -> None:
    """In direct and group conversations, at once by push and later by mail."""
    found = decided(kind=kind)

    assert set(found) == {BOB, CAT}
    assert found[BOB] == Decision(
        BOB,
        NotificationKind.MESSAGE,
        push_due_at=NOW,
        email_due_at=NOW + TIMING.email_delay,
    )


def test_in_a_channel_only_who_is_mentioned_is_told() -> None:
    """A mention makes the difference, and is named as such."""
    assert decided(kind=ConversationKind.CHANNEL) == {}
    found = decided(kind=ConversationKind.CHANNEL, mentions=frozenset({BOB, ADA}))
    assert set(found) == {BOB}
    assert found[BOB].kind is NotificationKind.MENTION


def test_mentions_of_many_reach_a_channel() -> None:
    """All means every member, here only those who are online now."""
    channel = {"kind": ConversationKind.CHANNEL}
    found = decided(**channel, mentions_all=True)
    assert {one.kind for one in found.values()} == {NotificationKind.MENTION}
    assert set(found) == {BOB, CAT}
    online = Person(BOB, presence=Presence.ONLINE)
    assert set(decided(**channel, bob=online, mentions_here=True)) == {BOB}
    assert decided(bob=online, mentions_here=True)[CAT].kind is NotificationKind.MESSAGE


def test_a_system_message_tells_nobody() -> None:
    """What somebody did to the conversation is in it, and nowhere else."""
    assert decided(is_system=True, mentions=frozenset({BOB})) == {}


def test_who_is_no_member_is_not_told_even_if_mentioned() -> None:
    """A mention opens no door."""
    members = {BOB: replace(MEMBERS[BOB], is_member=False)}
    assert decided(members=members, mentions=frozenset({BOB, CAT})) == {}


def test_who_has_read_it_is_not_told() -> None:
    """A read marker that came first silences everything."""
    members = {BOB: replace(MEMBERS[BOB], read_seq=5)}
    assert decided(members=members) == {}


def test_a_deleted_conversation_tells_nobody() -> None:
    """What is gone is silent."""
    assert decided(is_deleted=True) == {}


@pytest.mark.parametrize("changes", [{"is_suspended": True}, {"is_deleted": True}])
def test_inactive_accounts_are_not_told(changes: dict[str, bool]) -> None:
    """Nor the in-app list."""
    assert BOB not in decided(bob=Person(BOB, **changes))


def test_who_is_online_has_a_grace() -> None:
    """They may be reading it right now."""
    found = decided(bob=Person(BOB, presence=Presence.ONLINE))
    assert found[BOB].push_due_at == NOW + TIMING.online_grace
    assert decided(bob=Person(BOB, presence=Presence.AWAY))[BOB].push_due_at == NOW


def test_quiet_hours_drop_the_push_and_delay_the_mail() -> None:
    """The list tells all the same."""
    found = decided(bob=Person(BOB, preferences=QUIET))
    assert found[BOB].push_due_at is None
    assert found[BOB].email_due_at == NOW + timedelta(hours=1)


def test_a_muted_conversation_is_listed_only() -> None:
    """Neither push nor mail, also for a mention."""
    found = decided(bob=Person(BOB, preferences=MUTED), mentions=frozenset({BOB}))
    assert found[BOB] == Decision(BOB, NotificationKind.MENTION)


def test_each_way_can_be_switched_off() -> None:
    """Push and mail are chosen apart."""
    no_push = decided(bob=Person(BOB, preferences=Preferences(push_enabled=False)))
    no_mail = decided(bob=Person(BOB, preferences=Preferences(email_enabled=False)))
    assert no_push[BOB].push_due_at is None
    assert no_push[BOB].email_due_at is not None
    assert no_mail[BOB].push_due_at is not None
    assert no_mail[BOB].email_due_at is None


def delivery(channel: Channel = Channel.PUSH, **changes: Any) -> Delivery:
    """Return a claimed delivery about Ada's message to Bob."""
    fields = {
        "delivery_id": "d",
        "channel": channel,
        "target": "t",
        "user_id": BOB,
        "origin": Origin(EventId("e"), "x"),
        "created_at": NOW,
        "due_at": NOW,
        "expires_at": NOW + timedelta(hours=1),
        "conversation_id": CONVERSATION,
        "messages": (MessageRef(EXCERPT.message_id, EXCERPT.seq),),
        "claims": 1,
    }
    return Delivery(**{**fields, **changes})


def seen(**changes: Any) -> Circumstances:
    """Return circumstances in which everything is sent."""
    fields = {
        "person": Person(BOB),
        "conversation": Conversation(CONVERSATION, ConversationKind.GROUP),
        "member": MEMBERS[BOB],
        "excerpts": [EXCERPT],
    }
    return Circumstances(**{**fields, **changes})


def judged(one: Delivery, circumstances: Circumstances, now: datetime = NOW) -> Verdict:
    """Return the verdict."""
    return judge(one, circumstances, now=now, timing=TIMING)


@pytest.mark.parametrize("channel", list(Channel))
def test_what_still_holds_is_sent(channel: Channel) -> None:
    """With the messages that are unread, also to a user not projected yet."""
    assert judged(delivery(channel), seen()) == Send((EXCERPT,))
    assert judged(delivery(channel), seen(person=None)) == Send((EXCERPT,))


@pytest.mark.parametrize("channel", list(Channel))
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"person": Person(BOB, is_deleted=True)}, "account_gone"),
        ({"conversation": None}, "conversation_gone"),
        (
            {
                "conversation": Conversation(
                    CONVERSATION, ConversationKind.GROUP, is_deleted=True
                )
            },
            "conversation_gone",
        ),
        ({"member": None}, "not_a_member"),
        ({"member": replace(MEMBERS[BOB], is_member=False)}, "not_a_member"),
        ({"person": Person(BOB, preferences=MUTED)}, "muted"),
        (
            {
                "person": Person(
                    BOB,
                    preferences=Preferences(push_enabled=False, email_enabled=False),
                )
            },
            "disabled",
        ),
        ({"member": replace(MEMBERS[BOB], read_seq=5)}, "read"),
        ({"excerpts": []}, "read"),
        ({"excerpts": [replace(EXCERPT, is_deleted=True)]}, "read"),
    ],
)
def test_what_no_longer_holds_is_cancelled(
    channel: Channel, changes: dict[str, Any], reason: str
) -> None:
    """Everything is looked at again when it is due."""
    assert judged(delivery(channel), seen(**changes)) == Cancel(reason)


def test_quiet_hours_at_the_send() -> None:
    """A push is dropped, a mail waits for their end."""
    person = Person(BOB, preferences=QUIET)
    assert judged(delivery(), seen(person=person)) == Cancel("quiet_hours")
    assert judged(delivery(Channel.EMAIL), seen(person=person)) == Defer(
        NOW + timedelta(hours=1)
    )


def test_a_mail_waits_while_the_reader_is_online() -> None:
    """But not for ever: presence may be stale."""
    online = seen(person=Person(BOB, presence=Presence.ONLINE))
    late = NOW + TIMING.email_patience

    assert judged(delivery(Channel.EMAIL), online) == Defer(NOW + TIMING.email_delay)
    assert judged(delivery(Channel.EMAIL), online, late) == Send((EXCERPT,))
    assert judged(delivery(), online) == Send((EXCERPT,))


def test_without_a_target() -> None:
    """A removed device cancels; an address may still be on its way."""
    nowhere = seen(has_target=False)
    late = NOW + TIMING.email_patience

    assert judged(delivery(), nowhere) == Cancel("no_target")
    assert judged(delivery(Channel.EMAIL), nowhere) == Defer(NOW + TIMING.email_delay)
    assert judged(delivery(Channel.EMAIL), nowhere, late) == Cancel("no_target")


def test_a_mail_about_an_account_asks_for_nothing() -> None:
    """It goes out whatever was chosen."""
    notice = Notice(NoticeKind.WELCOME, "bob@example.org", "Bob", "en")
    account = delivery(Channel.EMAIL, conversation_id=None, messages=(), notice=notice)

    assert judged(account, Circumstances(person=None)) == Send()
    assert judged(account, Circumstances(person=None, is_suppressed=True)) == GiveUp(
        "address_suppressed"
    )


def test_too_late_and_too_often() -> None:
    """Old deliveries are dropped, and those that kill their process given up."""
    assert judged(delivery(), seen(), NOW + timedelta(hours=1)) == Expire()
    killer = delivery(claims=CLAIMS_MAX + 1)
    assert judged(killer, seen()) == GiveUp("abandoned")


@pytest.mark.parametrize(
    ("level", "is_mentioned", "is_pushed"),
    [
        (MuteLevel.ALL, False, True),
        (MuteLevel.MENTIONS, False, False),
        (MuteLevel.MENTIONS, True, True),
        (MuteLevel.NONE, False, False),
        (MuteLevel.NONE, True, False),
    ],
)
def test_who_muted_a_conversation_in_chat_finds_it_in_the_list(
    level: MuteLevel, *, is_mentioned: bool, is_pushed: bool
) -> None:
    """Neither push nor mail but what the level lets through, until it ends."""
    until = NOW + timedelta(minutes=1)
    bob = replace(MEMBERS[BOB], mute_level=level, muted_until=until)
    mentions = frozenset({BOB}) if is_mentioned else frozenset()
    told = decided(members=MEMBERS | {BOB: bob}, mentions=mentions)[BOB]
    assert (told.push_due_at is not None) is is_pushed
    assert (told.email_due_at is not None) is is_pushed
    over = replace(bob, muted_until=NOW)
    assert decided(members=MEMBERS | {BOB: over})[BOB].push_due_at == NOW


def test_a_mute_cancels_what_waits() -> None:
    """Between decision and sending the conversation may have been muted."""
    bob = replace(MEMBERS[BOB], mute_level=MuteLevel.NONE)
    assert judged(delivery(Channel.PUSH), seen(member=bob)) == Cancel("muted")
