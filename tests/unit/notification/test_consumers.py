"""What becomes of each event: happy, twice, out of order, undecipherable."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from libs.crypto import FieldSealer, KeyRing
from libs.events.catalog import (
    AccountDeletionCancelled,
    AccountDeletionRequested,
    AccountEmailChanged,
    AccountEmailChangeRequested,
    AccountEmailStopOffered,
    AccountIdentityChanged,
    AccountInvited,
    AccountMfaChanged,
    AccountPasswordChanged,
    AccountPasswordGuessed,
    AccountPasswordVoided,
    AccountResetRequested,
    AccountSessionReused,
    AccountVerificationRequested,
    ConversationCreated,
    ConversationDeleted,
    ConversationMemberAdded,
    ConversationMemberRemoved,
    ConversationRead,
    ConversationUpdated,
    ErasureCompleted,
    MessageDeleted,
    MessageEdited,
    PresenceChanged,
    UserCreated,
    UserDeleted,
    UserSuspended,
    UserUpdated,
)
from libs.kernel import EventId, UserId, new_id
from services.notification.domain.delivery import DeliveryState
from services.notification.domain.people import Presence
from tests.unit.notification.conftest import House

PERSON = {"display_name": "Ada", "locale": "en"}
OWN_FIELDS: dict[Any, dict[str, Any]] = {
    AccountDeletionCancelled: {"is_own": True},
    AccountDeletionRequested: {"is_own": True},
    AccountIdentityChanged: {"change": "linked", "provider": "Acme"},
    AccountMfaChanged: {"change": "added"},
    AccountPasswordChanged: {"change": "changed"},
    AccountPasswordGuessed: {"wrong_before": 3},
}


async def pair(house: House) -> tuple[UserId, UserId, str]:
    """Return Ada, Bob and their conversation."""
    ada, bob = await house.member("Ada"), await house.member("Bob")
    return ada, bob, await house.converse(ada, bob)


async def listed(house: House, user_id: UserId) -> list[Any]:
    """Return somebody's in-app list."""
    return await house.lists.page(user_id, before_id=None, limit=50, is_unread=None)


@pytest.mark.parametrize(
    ("event_class", "fields", "expected"),
    [
        (
            AccountVerificationRequested,
            ("email", "token"),
            [("email", "Confirm your mail address")],
        ),
        (AccountResetRequested, ("email", "token"), [("email", "Reset your password")]),
        (
            AccountPasswordChanged,
            ("email",),
            [("email", "Your password was changed")],
        ),
        (
            AccountPasswordGuessed,
            ("email",),
            [("email", "Was it you who signed in?")],
        ),
        (
            AccountSessionReused,
            ("email",),
            [("email", "One of your sessions was ended")],
        ),
        (
            AccountEmailChangeRequested,
            ("old_email", "new_email", "token"),
            [("new_email", "Confirm your new mail address")],
        ),
        (
            AccountEmailChanged,
            ("old_email", "new_email"),
            [
                ("new_email", "Your mail address was changed"),
                ("old_email", "Your mail address was changed"),
            ],
        ),
        (AccountMfaChanged, ("email",), [("email", "Your second factor was changed")]),
        (
            AccountIdentityChanged,
            ("email",),
            [("email", "Your linked identities were changed")],
        ),
        (
            AccountEmailStopOffered,
            ("email", "token"),
            [("email", "Was it you who changed the mail address?")],
        ),
        (
            AccountPasswordVoided,
            ("email", "token"),
            [("email", "Choose a new password")],
        ),
        (
            AccountDeletionRequested,
            ("email",),
            [("email", "Your account will be deleted")],
        ),
        (AccountDeletionCancelled, ("email",), [("email", "Your account stays")]),
        (AccountInvited, ("email", "token"), [("email", "Ada invites you to Parley")]),
    ],
)
async def test_every_account_event_becomes_its_mails(
    house: House,
    event_class: Any,
    fields: tuple[str, ...],
    expected: list[tuple[str, str]],
) -> None:
    """To the right addresses, at once, and once."""
    event_id, subject = EventId(new_id()), new_id()
    values: dict[str, Any] = {
        name: house.seal(
            f"{name}@example.org", event_id, event_class.event_type, name, subject
        )
        for name in fields
    }
    if "token" in fields:
        values["expires_at"] = house.clock.now() + timedelta(minutes=30)
    if event_class is AccountInvited:
        values |= {"inviter_id": new_id(), "inviter_name": "Ada", "locale": "en"}
    else:
        values |= PERSON
    values |= OWN_FIELDS.get(event_class, {})
    if event_class is AccountDeletionRequested:
        values["due_at"] = house.clock.now() + timedelta(days=14)
    event = event_class(**{event_class.event_key_field: subject}, **values)

    await house.take(event, event_id)
    await house.take(event, event_id)
    await house.tick()
    await house.tick()

    found = sorted((mail.address, mail.subject) for mail in house.mail.sent)
    assert found == [(f"{field}@example.org", text) for field, text in expected]


async def test_en_1_new_address_without_a_link_gets_no_mail(house: House) -> None:
    """EN-1: where auth seals no token, nobody is written to."""
    event_id, user_id = EventId(new_id()), new_id()
    kind = AccountEmailChangeRequested.event_type
    texts = {"old_email": "old@b.cd", "new_email": "taken@b.cd", "token": ""}
    event = AccountEmailChangeRequested(
        user_id=user_id,
        expires_at=house.clock.now() + timedelta(minutes=30),
        **{
            name: house.seal(text, event_id, kind, name, user_id)
            for name, text in texts.items()
        },
        **PERSON,
    )

    await house.take(event, event_id)
    await house.tick()

    assert house.mail.sent == []


async def test_a_late_verification_mail_is_dropped(house: House) -> None:
    """A link that is no longer valid is not sent."""
    event_id, user_id = EventId(new_id()), new_id()
    kind = AccountVerificationRequested.event_type
    event = AccountVerificationRequested(
        user_id=user_id,
        email=house.seal("a@b.cd", event_id, kind, "email", user_id),
        token=house.seal("t", event_id, kind, "token", user_id),
        expires_at=house.clock.now() + timedelta(minutes=30),
        **PERSON,
    )
    await house.take(event, event_id)

    await house.tick(1801)

    assert house.mail.tried == []
    assert house.failed[-1].reason == "expired"


async def test_the_same_message_twice_is_listed_and_pushed_once(house: House) -> None:
    """The inbox drops the second."""
    ada, bob, conversation = await pair(house)
    event, event_id = house.message(conversation, ada)

    await house.take(event, event_id)
    await house.take(event, event_id)
    await house.tick()

    assert len(await listed(house, bob)) == 1
    assert len(house.push.sent) == 1


async def test_a_message_before_its_conversation_waits(house: House) -> None:
    """It is tried again until conversation.created was seen."""
    ada, bob = await house.member("Ada"), await house.member("Bob")
    conversation = new_id()
    event, event_id = house.message(conversation, ada)
    house.bus._has_immediate_tiers = False
    await house.take(event, event_id)
    assert await listed(house, bob) == []

    await house.take(
        ConversationCreated(
            conversation_id=conversation,
            revision=1,
            kind="direct",
            project_id=None,
            title=None,
            created_by=ada,
            members=((ada, "member"), (bob, "member")),
        )
    )
    await house.bus.advance(timedelta(seconds=2))

    assert len(await listed(house, bob)) == 1


async def test_what_was_sealed_with_a_lost_key_is_no_storm(house: House) -> None:
    """The event ends as a dead letter; others pass."""
    ada, bob, conversation = await pair(house)
    event, event_id = house.message(conversation, ada)
    foreign = FieldSealer(KeyRing.generate()).seal("x", "y")

    await house.take(replace_content(event, foreign), event_id)
    await house.say(conversation, ada, 2)

    assert len(house.bus.dead_letters("notification", "conversations")) == 1
    assert len(await listed(house, bob)) == 1


async def test_a_swapped_text_is_not_believed(house: House) -> None:
    """Content of another event does not open in this one."""
    ada, bob, conversation = await pair(house)
    first, _ = house.message(conversation, ada)
    second, second_id = house.message(conversation, ada, 2)

    await house.take(replace_content(second, first.content), second_id)

    assert await listed(house, bob) == []
    assert len(house.bus.dead_letters("notification", "conversations")) == 1


async def test_a_body_of_unknown_form_is_a_dead_letter(house: House) -> None:
    """It is not guessed at, and its text is not in the headers."""
    ada, _, conversation = await pair(house)
    await house.say(conversation, ada, body="plain words")

    [headers] = house.bus.dead_letters("notification", "conversations")
    assert "plain words" not in str(headers)


async def test_a_reply_reads_what_came_before(house: House) -> None:
    """Who answers has seen it: their own waiting deliveries are cancelled."""
    ada, bob, conversation = await pair(house)
    await house.say(conversation, ada, 1)
    await house.say(conversation, bob, 2)

    await house.tick(60)

    assert [push.token for push in house.push.sent] == ["token-of-Ada"]
    assert [mail.address for mail in house.mail.sent] == ["ada@example.org"]
    [entry] = await listed(house, bob)
    assert entry.notification.is_read


async def test_reading_ticks_off_the_list(house: House) -> None:
    """A read marker of the conversation is one of the list."""
    ada, bob, conversation = await pair(house)
    await house.say(conversation, ada)

    await house.take(
        ConversationRead(conversation_id=conversation, user_id=bob, read_seq=1)
    )

    [entry] = await listed(house, bob)
    assert entry.notification.is_read


async def test_an_edit_changes_what_is_told(house: House) -> None:
    """List and mail show the newest text; an edit of nothing kept is no error."""
    ada, bob, conversation = await pair(house)
    message = await house.say(conversation, ada)
    for message_id in (message.message_id, new_id()):
        event_id = EventId(new_id())
        body = '{"text":"better words"}'
        context = (event_id, "message.edited", "content", conversation)
        await house.take(
            MessageEdited(
                conversation_id=conversation,
                message_id=message_id,
                seq=1,
                revision=9,
                edited_by=ada,
                edited_at=house.clock.now(),
                content=house.seal(body, *context),
                mentions=(),
                mention_kinds=(),
            ),
            event_id,
        )

    await house.tick(60)

    assert "better words" in house.mail.sent[0].text
    [entry] = await listed(house, bob)
    assert entry.text == "better words"


@pytest.mark.parametrize("is_first", [True, False])
async def test_a_deleted_message_is_told_to_nobody(
    house: House, is_first: object
) -> None:
    """Whether the deletion overtakes the message or not."""
    ada, bob, conversation = await pair(house)
    event, event_id = house.message(conversation, ada)
    deleted = MessageDeleted(
        conversation_id=conversation,
        message_id=event.message_id,
        seq=1,
        revision=9,
        deleted_by=ada,
    )
    if is_first:
        await house.take(deleted)
    await house.take(event, event_id)
    if not is_first:
        await house.take(deleted)

    await house.tick(60)

    assert await listed(house, bob) == []
    assert house.push.tried == house.mail.sent == []


async def test_members_come_and_go(house: House) -> None:
    """Who joined is told, who left is not, by revision and not by arrival."""
    ada, bob, conversation = await pair(house)
    cat = await house.member("Cat")
    about = {"conversation_id": conversation, "user_id": cat}
    removed = ConversationMemberRemoved(**about, revision=5, removed_by=None)
    added = ConversationMemberAdded(**about, revision=4, role="member", added_by=ada)

    await house.take(added)
    await house.say(conversation, ada, 1)
    await house.take(removed)
    await house.take(added)
    await house.say(conversation, ada, 2)

    assert len(await listed(house, cat)) == 1
    assert len(await listed(house, bob)) == 2


async def test_who_left_sees_no_words_any_more(house: House) -> None:
    """Old entries lose title and text with the membership."""
    ada, bob = await house.member("Ada"), await house.member("Bob")
    conversation = await house.converse(ada, bob, kind="group", title="Plans")
    await house.say(conversation, ada)
    [before] = await listed(house, bob)

    await house.take(
        ConversationMemberRemoved(
            conversation_id=conversation, user_id=bob, revision=5, removed_by=None
        )
    )

    [after] = await listed(house, bob)
    assert (before.conversation_title, before.text) == ("Plans", "hello")
    assert (after.conversation_title, after.text) == (None, "")


async def test_titles_follow(house: House) -> None:
    """A new title is shown, and none after the end."""
    ada, bob = await house.member("Ada"), await house.member("Bob")
    conversation = await house.converse(ada, bob, kind="group", title="Plans")
    event_id = EventId(new_id())
    context = (event_id, "conversation.updated", "title", conversation)
    await house.take(
        ConversationUpdated(
            conversation_id=conversation,
            revision=2,
            title=house.seal("Better plans", *context),
            updated_by=ada,
        ),
        event_id,
    )
    await house.say(conversation, ada)
    [before] = await listed(house, bob)

    await house.take(
        ConversationDeleted(conversation_id=conversation, revision=3, deleted_by=ada)
    )
    await house.tick(60)

    [after] = await listed(house, bob)
    assert before.conversation_title == "Better plans"
    assert (after.conversation_title, after.text) == (None, "")
    assert house.push.tried == house.mail.sent == []


async def test_profiles_follow_by_revision(house: House) -> None:
    """Created, verified, updated: the newest name is shown."""
    user_id = UserId(new_id())
    created = UserCreated(user_id=user_id, revision=1, roles=("member",), **PERSON)
    updated = UserUpdated(
        user_id=user_id,
        revision=3,
        display_name="Ada L",
        handle="ada",
        locale="de",
        time_zone="Europe/Berlin",
        status_text="",
        avatar_document_id=None,
        roles=("member",),
    )
    await house.take(updated)
    await house.take(created)

    person = (await house.people.get([user_id]))[user_id]
    assert (person.display_name, person.handle, person.time_zone) == (
        "Ada L",
        "ada",
        "Europe/Berlin",
    )


@pytest.mark.parametrize(
    "gone",
    [
        lambda user_id: UserSuspended(user_id=user_id, revision=5, is_suspended=True),
        lambda user_id: UserDeleted(user_id=user_id, revision=5),
    ],
    ids=["suspended", "deleted"],
)
async def test_who_is_gone_is_not_told(house: House, gone: Any) -> None:
    """SR-6: suspended or deleted between message and send: no push, no mail."""
    ada, bob, conversation = await pair(house)
    await house.say(conversation, ada)

    await house.take(gone(bob))
    await house.tick(60)

    assert house.push.tried == house.mail.sent == []


async def test_who_is_deleted_leaves_nothing_and_is_answered_for(house: House) -> None:
    """List, devices and what waits go; others keep theirs; a repeat answers again."""
    ada, bob, conversation = await pair(house)
    await house.say(conversation, ada)
    await house.say(conversation, bob, seq=2)
    deleted = UserDeleted(user_id=bob, revision=5)

    await house.take(deleted)
    await house.take(deleted, EventId(new_id()))

    first, second = house.bus.published_of(ErasureCompleted)
    assert (first.user_id, first.service) == (bob, "notification")
    assert (first.erased_count > 0, second.erased_count) == (True, 0)
    lists = {
        user_id: await house.notifications.page(
            user_id, before_id=None, limit=10, is_unread=None
        )
        for user_id in (ada, bob)
    }
    assert (len(lists[ada]), lists[bob]) == (1, [])
    assert await house.devices.of_user(bob) == []
    waiting = [
        row.delivery.user_id
        for row in house.deliveries.rows.values()
        if row.state is DeliveryState.PENDING
    ]
    assert set(waiting) == {ada}
    person = (await house.people.get([bob]))[bob]
    assert (person.email, person.display_name) == (None, "")


async def test_presence_is_the_newest(house: House) -> None:
    """An old transition that comes late changes nothing."""
    ada = await house.member("Ada")
    later = house.clock.now()
    await house.take(PresenceChanged(user_id=ada, status="online", changed_at=later))
    await house.take(
        PresenceChanged(
            user_id=ada, status="offline", changed_at=later - timedelta(seconds=5)
        )
    )

    assert (await house.people.get([ada]))[ada].presence is Presence.ONLINE


def replace_content(event: Any, content: Any) -> Any:
    """Return a message with other content."""
    return msgspec.structs.replace(event, content=content)
