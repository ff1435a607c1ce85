"""Mails that leave by SMTP, on the real servers."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pymongo.asynchronous.database import AsyncDatabase

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
)
from tests.integration.notification.conftest import TRACE, Outside, final_state
from tests.support.stack import RunningStack

pytestmark = pytest.mark.integration

WEB = Path(__file__).parents[3] / "web"


async def test_verification_mail_carries_the_link(
    service: RunningStack, outside: Outside, address: str
) -> None:
    """Who registers gets a mail with the link, in text and HTML, at once."""
    await outside.verification_requested(address)

    [mail] = await service.wait_mails(address)

    assert f"{service.edge_url}/verify.html#token=tok-en" in mail["text"]
    assert f"{service.edge_url}/verify.html#token=tok-en" in mail["html"]
    assert mail["headers"]["auto-submitted"] == "auto-generated"
    assert mail["headers"]["x-parley-trace"] == TRACE


ACCOUNT_MAILS = [
    (AccountResetRequested, "email", "/reset.html", "Reset your", "Passwort zurück"),
    (AccountPasswordChanged, "email", None, "Your password was", "Ihr Passwort wurde"),
    (AccountSessionReused, "email", None, "One of your sess", "Eine Ihrer Sitzungen"),
    (AccountPasswordGuessed, "email", None, "Was it you", "sich angemeldet"),
    (
        AccountEmailChangeRequested,
        "new_email",
        "/confirm-email.html",
        "Confirm",
        "neue",
    ),
    (
        AccountEmailStopOffered,
        "email",
        "/stop-email-change.html",
        "Was it you",
        "Adresse geändert?",  # codespell:ignore
    ),
    (AccountPasswordVoided, "email", "/reset.html", "Choose a new", "ein neues"),
    (AccountIdentityChanged, "email", None, "Your linked", "Ihre verknüpften"),
    (AccountEmailChanged, "new_email", None, "Your mail address was", "Ihre E-Mail"),
    (AccountEmailChanged, "old_email", None, "Your mail address was", "Ihre E-Mail"),
    (
        AccountMfaChanged,
        "email",
        None,
        "Your second factor",
        "Ihr zweiter",
    ),
    (AccountDeletionRequested, "email", None, "Your account will", "Ihr Konto wird"),
    (AccountDeletionCancelled, "email", None, "Your account stays", "Ihr Konto bleibt"),
    (
        AccountInvited,
        "email",
        "/invite.html",
        "Ada invites you",
        "Ada lädt",
    ),
]


async def test_every_account_event_is_mailed_in_both_languages(
    service: RunningStack, outside: Outside, address: str
) -> None:
    """Each to its address, in the user's language; links lead to a page that exists."""
    for locale in ("en", "de"):
        for event_class in dict.fromkeys(row[0] for row in ACCOUNT_MAILS):
            names = set(event_class.__struct_fields__)
            sealed = {
                name: f"{name}-{event_class.__name__}-{locale}-{address}"
                for name in names & {"email", "old_email", "new_email"}
            }
            if "token" in names:
                sealed["token"] = "tok-en"
            await outside.account(event_class, sealed, locale=locale)

    for event_class, field, page, *subjects in ACCOUNT_MAILS:
        for locale, subject in zip(("en", "de"), subjects, strict=True):
            to = f"{field}-{event_class.__name__}-{locale}-{address}"
            [mail] = await service.wait_mails(to)
            assert subject in mail["subject"], (mail["subject"], subject)
            if page:
                assert (WEB / page.removeprefix("/")).is_file()
                link = f"{service.edge_url}{page}#token=tok-en"
                assert link in mail["text"]
                assert link in mail["html"]
            else:
                assert "#token" not in mail["text"]


async def test_verified_user_is_welcomed(
    service: RunningStack, outside: Outside, address: str
) -> None:
    """Who confirms the address gets one welcome mail."""
    await outside.verified(address, "Ada")

    [mail] = await service.wait_mails(address)

    assert mail["subject"] == "Welcome to Parley"
    await asyncio.sleep(1)
    assert len(service.mails(address)) == 1


async def test_missed_messages_come_in_one_mail(
    service: RunningStack, outside: Outside, address: str
) -> None:
    """Somebody away gets one mail with all messages they did not read."""
    ada = await outside.verified("ada-" + address, "Ada")
    bob = await outside.verified(address, "Bob")
    conversation = await outside.conversation(ada, bob)
    await service.wait_mails(address)

    await outside.say(conversation, ada, "first words")
    await outside.say(conversation, ada, "second words")

    mails = await service.wait_mails(address, count=2)
    assert mails[1]["subject"] == "New messages from Ada"
    assert "first words" in mails[1]["text"]
    assert "second words" in mails[1]["html"]


async def test_what_was_read_is_not_mailed(
    service: RunningStack, outside: Outside, address: str
) -> None:
    """A read marker that comes before the mail is due cancels it."""
    ada = await outside.verified("ada-" + address, "Ada")
    bob = await outside.verified(address, "Bob")
    conversation = await outside.conversation(ada, bob)
    await service.wait_mails(address)

    message = await outside.say(conversation, ada, "read at once")
    await outside.read(conversation, bob, message.seq)

    await asyncio.sleep(4)
    assert len(service.mails(address)) == 1


async def test_refused_for_now_is_sent_later(
    service: RunningStack, outside: Outside, address: str
) -> None:
    """A 451 costs a wait, not the mail."""
    service.mail_behaviour(recipient=address, reply="451 later", count=1)

    await outside.verification_requested(address)

    mails = await service.wait_mails(address)
    assert len(mails) == 1


async def test_dead_address_gets_one_try(
    service: RunningStack,
    outside: Outside,
    address: str,
    database: AsyncDatabase[dict[str, Any]],
) -> None:
    """After a 550 no mail goes to the address any more, whatever it is about."""
    service.mail_behaviour(recipient=address, reply="550 no such mailbox", count=1)
    first = await outside.verification_requested(address)
    assert (await final_state(database, causes=first))["reason"] == "smtp_550"

    second = await outside.verification_requested(address)

    assert (await final_state(database, causes=second))[
        "reason"
    ] == "address_suppressed"
    assert service.mails(address) == []


async def test_killed_before_it_stored_the_answer(
    service: RunningStack, outside: Outside, address: str
) -> None:
    """A mail whose process dies at the worst moment comes at most twice, one id."""
    event_ids = [await outside.verification_requested(address) for _ in range(5)]
    await service.wait_mails(address)
    service.kill("notification")
    await service.until_ready("notification")

    mails = await service.wait_mails(address, count=5, seconds=60)
    await asyncio.sleep(2)

    mails = service.mails(address)
    ids = Counter(mail["message_id"] for mail in mails)
    assert len(ids) == len(event_ids)
    assert max(ids.values()) <= 2


async def test_nothing_private_is_clear_in_the_database(
    service: RunningStack,
    outside: Outside,
    address: str,
    database: AsyncDatabase[dict[str, Any]],
) -> None:
    """No document holds an address, a title or a text."""
    ada = await outside.verified("ada-" + address, "Ada")
    bob = await outside.verified(address, "Bob")
    conversation = await outside.conversation(ada, bob)
    await outside.say(conversation, ada, "xyzzy plugh")
    await service.wait_mails(address, count=2)

    found = [
        document
        for name in await database.list_collection_names()
        async for document in database[name].find()
    ]

    assert found
    assert not [d for d in found if address in str(d) or "xyzzy" in str(d)]
