"""The words of mails and pushes."""

import string
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default

import pytest

from libs.kernel import ConversationId, EventId, MessageId, UserId
from services.notification.delivery.catalogue import ENGLISH, LANGUAGES, Speech
from services.notification.delivery.composer import TemplateComposer
from services.notification.delivery.smtp import wire_form
from services.notification.domain.conversations import (
    Conversation,
    ConversationKind,
    Excerpt,
)
from services.notification.domain.delivery import (
    Channel,
    Delivery,
    Notice,
    NoticeKind,
    Origin,
)
from services.notification.domain.devices import Device, Platform
from services.notification.domain.people import Person, Preferences
from services.notification.ports import Line

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
COMPOSER = TemplateComposer("https://chat.example.org")
SENDER = "Parley <noreply@example.org>"
DELIVERY = Delivery(
    delivery_id="0193a5c4-7f1e-7abc-8def-0123456789ab",
    channel=Channel.EMAIL,
    target="bob",
    user_id=UserId("bob"),
    origin=Origin(EventId("e"), "c", "00-0af7651916cd43dd8448eb211c80319c-b7-01"),
    created_at=NOW,
    due_at=NOW,
    expires_at=NOW + timedelta(hours=1),
)
BOB = Person(UserId("bob"), display_name="Bob", email="bob@example.org")
PLACE = Conversation(ConversationId("c-1"), ConversationKind.DIRECT)
LINE = Line(
    Excerpt(MessageId("m-1"), PLACE.conversation_id, 4, 5, UserId("ada"), NOW, "hi"),
    "Ada",
)
PHONE = Device("d-1", UserId("bob"), Platform.IOS, "Phone", "token", NOW, NOW)


def notice(kind: NoticeKind, **changes: object) -> Notice:
    """Return a notice with a link."""
    fields = {"address": "ada@example.org", "name": "Ada", "locale": "en"}
    return Notice(kind, **{**fields, "token": "t/k+n", "valid_until": NOW, **changes})  # type: ignore[arg-type]


def test_every_language_says_everything() -> None:
    """No sentence and no value is missing in a translation."""
    formatter = string.Formatter()

    def values(text: str) -> set[str | None]:
        return {name for _, name, _, _ in formatter.parse(text)} - {None}

    for sentences in LANGUAGES.values():
        assert sentences.keys() == ENGLISH.keys()
        for key, text in sentences.items():
            assert values(text) == values(ENGLISH[key]), key


@pytest.mark.parametrize(
    ("locale", "language"),
    [("de", "de"), ("de-AT", "de"), ("DE_ch", "de"), ("en-GB", "en"), ("tlh", "en")],
)
def test_the_language_follows_the_locale(locale: str, language: str) -> None:
    """A region does not matter, and what is not spoken is English."""
    assert Speech(locale).language == language


@pytest.mark.parametrize("kind", list(NoticeKind))
@pytest.mark.parametrize("locale", ["en", "de"])
def test_every_notice_can_be_written(kind: NoticeKind, locale: str) -> None:
    """Each kind has a subject and a body in text and HTML."""
    mail = COMPOSER.notice(DELIVERY, notice(kind, locale=locale))
    assert mail.subject
    assert "{" not in mail.subject + mail.text
    assert f'lang="{locale}"' in mail.html


@pytest.mark.parametrize(
    ("kind", "page"),
    [
        (NoticeKind.VERIFICATION, "verify"),
        (NoticeKind.RESET, "reset"),
        (NoticeKind.PASSWORD_VOIDED, "reset"),
        (NoticeKind.EMAIL_CHANGE, "confirm-email"),
        (NoticeKind.INVITATION, "invite"),
    ],
)
def test_a_link_hides_its_token_in_the_fragment(kind: NoticeKind, page: str) -> None:
    """The token is quoted and never part of what a server logs."""
    mail = COMPOSER.notice(DELIVERY, notice(kind))
    link = f"https://chat.example.org/{page}.html#token=t%2Fk%2Bn"
    assert link in mail.text
    assert f'href="{link}"' in mail.html
    assert "2026-01-01 12:00" in mail.text


@pytest.mark.parametrize("kind", [NoticeKind.VERIFICATION, NoticeKind.EMAIL_CHANGE])
def test_an_unconfirmed_address_gets_no_words_of_a_stranger(kind: NoticeKind) -> None:
    """Whoever registers an address chooses the name: it may be an advertisement."""
    mail = COMPOSER.notice(DELIVERY, notice(kind, name="Win at spam.example"))
    assert "spam.example" not in mail.text + mail.html + mail.subject + mail.name


def test_a_warning_tells_what_to_do() -> None:
    """A changed password is alarming, a registration is not."""
    changed = COMPOSER.notice(DELIVERY, notice(NoticeKind.PASSWORD_CHANGED))
    asked = COMPOSER.notice(DELIVERY, notice(NoticeKind.VERIFICATION))
    welcome = COMPOSER.notice(DELIVERY, notice(NoticeKind.WELCOME))
    assert ENGLISH["act"] in changed.text
    assert ENGLISH["ignore"] in asked.text
    assert "If this was not you" not in welcome.text


def test_the_change_of_a_factor_is_named() -> None:
    """An unknown change has a sentence too."""
    added = COMPOSER.notice(DELIVERY, notice(NoticeKind.MFA_CHANGED, change="added"))
    other = COMPOSER.notice(DELIVERY, notice(NoticeKind.MFA_CHANGED, change="x"))
    assert "was added" in added.text
    assert "was changed" in other.text


def test_html_is_escaped() -> None:
    """HT-5: names, titles and texts cannot bring markup into a mail."""
    line = replace(
        LINE,
        excerpt=replace(LINE.excerpt, text="<script>alert(1)</script>"),
        sender_name='<img src="x">',
    )
    mail = COMPOSER.missed(DELIVERY, BOB, replace(PLACE, title="<b>&"), [line])
    assert "<script>" not in mail.html
    assert "<img" not in mail.html
    assert "&lt;script&gt;" in mail.html
    assert "<script>" in mail.text


def test_braces_are_not_parsed() -> None:
    """A name like a template stays a name."""
    line = replace(LINE, sender_name="{speech.say.__globals__}{{ 7*7 }}")
    mail = COMPOSER.missed(DELIVERY, BOB, PLACE, [line])
    assert "{speech.say.__globals__}{{ 7*7 }}" in mail.text
    assert "{{ 7*7 }}" in mail.subject


def test_missed_messages_are_listed() -> None:
    """With title or senders, and with how many more there are."""
    file = replace(LINE, excerpt=replace(LINE.excerpt, text="", has_attachments=True))
    direct = COMPOSER.missed(DELIVERY, BOB, PLACE, [LINE, file])
    titled = COMPOSER.missed(
        replace(DELIVERY, more_count=3),
        replace(BOB, locale="de"),
        replace(PLACE, title="Plans"),
        [LINE],
    )
    one = COMPOSER.missed(replace(DELIVERY, more_count=1), BOB, PLACE, [LINE])
    assert direct.subject == "New messages from Ada"
    assert "sent a file" in direct.text
    assert titled.subject == "Neue Nachrichten in Plans"
    assert "und 3 weitere Nachrichten." in titled.text
    assert "and one more message." in one.text
    assert "#conversation=c-1" in one.text


def test_a_push_names_the_sender_only() -> None:
    """Unless the reader asked for the text."""
    push = COMPOSER.push(DELIVERY, BOB, PHONE, LINE)
    chosen = replace(BOB, preferences=Preferences(include_content=True))
    told = COMPOSER.push(DELIVERY, chosen, PHONE, LINE)
    unknown = COMPOSER.push(DELIVERY, BOB, PHONE, replace(LINE, sender_name=""))
    assert push.body == "New message from Ada"
    assert "hi" not in push.data.values()
    assert push.data["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert (push.tag, push.push_id) == ("m-1", DELIVERY.delivery_id)
    assert (told.title, told.body) == ("Ada", "hi")
    assert unknown.body == "New message from Somebody"


def test_a_mail_is_the_same_on_every_try() -> None:
    """One Message-ID, one content."""
    mail = COMPOSER.missed(DELIVERY, BOB, PLACE, [LINE])
    assert wire_form(mail, SENDER) == wire_form(mail, SENDER)
    parsed = message_from_bytes(wire_form(mail, SENDER), policy=default)
    assert parsed["message-id"] == f"<{DELIVERY.delivery_id}@example.org>"
    assert parsed["x-parley-trace"] == "0af7651916cd43dd8448eb211c80319c"
    assert parsed["auto-submitted"] == "auto-generated"
    assert parsed["from"] == SENDER
    assert parsed["to"] == "Bob <bob@example.org>"
    assert parsed.get_body(("plain",)).get_content().startswith("Hello Bob")
    assert parsed.get_body(("html",)).get_content().startswith("<!doctype html>")


@pytest.mark.parametrize("name", ["Bob\r\nBcc: x@y.z", 'Bob" <x@y.z>', "Bob\x00", "Bö"])
def test_a_name_brings_no_header(name: str) -> None:
    """HT-5: line breaks and quotes in a name stay in the name."""
    mail = COMPOSER.missed(DELIVERY, replace(BOB, display_name=name), PLACE, [LINE])
    mail = replace(mail, name=name, subject=f"{name} says")
    parsed = message_from_bytes(wire_form(mail, SENDER), policy=default)
    assert parsed["bcc"] is None
    assert [address.addr_spec for address in parsed["to"].addresses] == [
        "bob@example.org"
    ]


@pytest.mark.parametrize("address", ["", "bob", "a@b@c", "a b@c", "a@b\r\nBcc: x"])
def test_what_is_no_address_is_refused(address: str) -> None:
    """It would only fail at the server."""
    mail = COMPOSER.notice(DELIVERY, notice(NoticeKind.WELCOME, address="x@y.z"))
    with pytest.raises(ValueError, match="address is none"):
        wire_form(replace(mail, address=address), SENDER)
