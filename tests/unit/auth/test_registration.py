"""Registering and verifying: what is stored, sent and told."""

import asyncio
from datetime import timedelta

import pytest

from libs.crypto import DecryptError
from libs.events.catalog import AccountVerificationRequested, UserCreated, UserVerified
from libs.kernel import AppError
from services.auth.domain import (
    EmailAddress,
    UserStatus,
)
from services.auth.domain.errors import (
    AttemptsThrottledError,
    CredentialsInvalidError,
    PasswordWrongError,
    VerificationTokenInvalidError,
)
from tests.unit.auth.conftest import ADDRESS, EMAIL, PASSWORD


async def test_registration_opens_a_pending_account_and_sends_a_link(house):
    """A new address gets a pending account and one mail."""
    await house.register()
    [created] = house.bus.published_of(UserCreated)
    assert created.display_name == "Ann"
    assert created.roles == ("member",)
    assert created.revision == 1
    user = await house.adapters.stores.users.get(created.user_id, None)
    assert user.status is UserStatus.PENDING
    assert len(house.mails) == 1


async def test_au_2_an_account_is_recorded_from_its_first_form_on(house):
    """AU-2: opened by nobody known, verified by its owner, each in its transaction."""
    user_id = await house.join()
    await house.register()
    audit = house.adapters.stores.audit
    [registered] = audit.of("user.registered")
    assert (registered.actor_id, registered.target_id) == ("anonymous", user_id)
    [verified] = audit.of("user.verified")
    assert verified.actor_id == user_id


async def test_link_is_sealed_for_its_event_alone(house):
    """CR-7: token and address travel sealed, bound to event, field and user."""
    token = await house.register()
    event, event_id = house.mails[0]
    assert token.encode() not in event.token.ciphertext
    assert len(token) >= 43
    opened = house.transport.open(
        event.email, event_id, event.event_type, "email", event.user_id
    )
    assert opened == EMAIL
    with pytest.raises(DecryptError):
        house.transport.open(
            event.token, event_id, event.event_type, "email", event.user_id
        )


async def test_verification_activates_the_account_once(house):
    """PW-8: a link works once; the account then signs in."""
    token = await house.register()
    user_id = await house.state["registration"].verify(token, PASSWORD)
    [verified] = house.bus.published_of(UserVerified)
    assert (verified.user_id, verified.revision) == (user_id, 2)
    with pytest.raises(VerificationTokenInvalidError):
        await house.state["registration"].verify(token, PASSWORD)
    assert (await house.login()).user_id == user_id


async def test_pw_8_race_of_one_link_has_one_winner(house):
    """PW-8: of 50 parallel redemptions one succeeds."""
    token = await house.register()
    verify = house.state["registration"].verify
    results = await asyncio.gather(
        *(verify(token, PASSWORD) for _ in range(50)), return_exceptions=True
    )
    assert sum(isinstance(result, str) for result in results) == 1
    assert len(house.bus.published_of(UserVerified)) == 1


@pytest.mark.parametrize("token", ["", "x", "A" * 43, "é", "\ud800", "a\x00b"])
async def test_invented_token_is_refused(house, token):
    """Any text is answered with the same error."""
    with pytest.raises(VerificationTokenInvalidError):
        await house.state["registration"].verify(token, PASSWORD)


async def test_pw_8_link_expires_after_thirty_minutes(house):
    """PW-8: a link is good for 30 minutes."""
    token = await house.register()
    house.clock.advance(timedelta(minutes=30))
    with pytest.raises(VerificationTokenInvalidError):
        await house.state["registration"].verify(token, PASSWORD)


async def test_en_1_existing_account_is_left_alone(house):
    """EN-1: registering a taken address changes and tells nothing."""
    await house.join()
    before = len(house.bus.published)
    assert await house.register(EMAIL.upper(), password="another password!") is None
    assert len(house.bus.published) == before
    with pytest.raises(CredentialsInvalidError):
        await house.login(password="another password!")
    assert await house.login()


async def test_each_link_activates_the_registration_it_was_sent_for(house):
    """A stranger who registers the address too does not choose its password."""
    theirs = await house.register(password="password of a stranger", name="Mallory")
    mine = await house.register(password=PASSWORD, name="Ann")
    assert theirs != mine
    await house.state["registration"].verify(mine, PASSWORD)
    with pytest.raises(VerificationTokenInvalidError):
        await house.state["registration"].verify(theirs, PASSWORD)
    signed_in = await house.login()
    user = await house.adapters.stores.users.get(signed_in.user_id, None)
    assert user.display_name == "Ann"
    with pytest.raises(CredentialsInvalidError):
        await house.login(password="password of a stranger")


async def test_nobody_activates_a_strangers_registration_by_a_click(house):
    """The owner of an address does not know the password that a stranger chose."""
    theirs = await house.register(password="password of a stranger", name="Mallory")
    with pytest.raises(PasswordWrongError):
        await house.state["registration"].verify(theirs, PASSWORD)
    with pytest.raises(CredentialsInvalidError):
        await house.login(password="password of a stranger")
    mine = await house.register(password=PASSWORD, name="Ann")
    await house.state["registration"].verify(mine, PASSWORD)
    assert await house.login()


async def test_lt_5_passwords_of_a_registration_are_guessed_as_slowly(house):
    """LT-5: who has the link still tries five, and a wrong one does not spend it."""
    token = await house.register()
    verify = house.state["registration"].verify
    for _ in range(5):
        with pytest.raises(PasswordWrongError):
            await verify(token, "wrong password here", ADDRESS)
    with pytest.raises(AttemptsThrottledError):
        await verify(token, PASSWORD, ADDRESS)
    house.clock.advance(timedelta(seconds=2))
    assert await verify(token, PASSWORD, ADDRESS)


async def test_second_registration_makes_no_second_account(house):
    """A pending address keeps its account; only a new link is sent."""
    await house.register()
    await house.register()
    assert len(house.bus.published_of(UserCreated)) == 1
    assert len(house.bus.published_of(AccountVerificationRequested)) == 2


async def test_link_can_be_asked_for_again(house):
    """A resend carries a new token for the only registration."""
    first = await house.register()
    await house.state["registration"].request_verification(email=EMAIL)
    await house.bus.settled()
    second = house.token()
    assert second != first
    await house.state["registration"].verify(second, PASSWORD)
    assert await house.login()


async def test_a_resend_activates_no_strangers_password(house):
    """Who asks for the link again does not follow one of somebody else's making."""
    await house.register(password=PASSWORD, name="Ann")
    await house.register(password="password of a stranger", name="Ann")
    before = len(house.mails)
    await house.state["registration"].request_verification(email=EMAIL)
    await house.bus.settled()
    assert len(house.mails) == before
    again = await house.register(password=PASSWORD, name="Ann")
    await house.state["registration"].verify(again, PASSWORD)
    assert await house.login()


@pytest.mark.parametrize("email", ["nobody@example.test", EMAIL])
async def test_en_1_resend_is_silent_where_nothing_waits(house, email):
    """EN-1: unknown and active addresses get no mail and no error."""
    await house.join()
    before = len(house.mails)
    await house.state["registration"].request_verification(email=email)
    await house.bus.settled()
    assert len(house.mails) == before


async def test_mails_to_one_address_are_bounded(house):
    """The sixth link within an hour is not sent, and nobody is told."""
    for _ in range(6):
        await house.register()
    await house.state["registration"].request_verification(email=EMAIL)
    await house.bus.settled()
    assert len(house.mails) == 5


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("email", "nonsense", "email_invalid"),
        ("password", "short", "password_invalid"),
        ("password", "x" * 257, "password_invalid"),
        ("display_name", "a\u202eb", "display_name_invalid"),
        ("locale", "../en", "locale_invalid"),
    ],
)
async def test_bad_field_is_refused_with_its_code(house, field, value, code):
    """Each rule answers with a stable code and stores nothing."""
    fields = {
        "email": EMAIL,
        "password": PASSWORD,
        "display_name": "Ann",
        "locale": "en",
    } | {field: value}
    with pytest.raises(AppError) as caught:
        await house.state["registration"].register(**fields)
    assert caught.value.code == code
    assert house.bus.published == []
    found = await house.adapters.stores.users.find_by_email(
        EmailAddress.parse(EMAIL), None
    )
    assert found is None
