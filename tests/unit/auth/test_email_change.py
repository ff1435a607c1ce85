"""Another mail address: both told, EN-1, PW-8, MF-6."""

import asyncio
from datetime import timedelta

import pytest

from libs.events.catalog import (
    AccountEmailChanged,
    AccountEmailChangeRequested,
    UserUpdated,
)
from services.auth.domain import UserStatus
from services.auth.domain.errors import (
    CredentialsInvalidError,
    EmailInvalidError,
    LinkInvalidError,
    StepUpRequiredError,
    UserMissingError,
)
from tests.unit.auth.conftest import EMAIL

NEW_EMAIL = "Ann.New@example.test"


@pytest.fixture
async def own(house):
    """The session of an active user."""
    await house.join()
    return await house.login()


async def _request(house, own, email=NEW_EMAIL):
    await house.state["email_change"].request(own.user_id, own.session_id, email=email)
    await house.bus.settled()


def _confirm(house, token, address="10.0.0.1"):
    return house.state["email_change"].confirm(token=token, client_address=address)


async def test_change_is_told_to_both_addresses_and_takes_the_link(house, own):
    """Asked for: link to the new, a word to the old; confirmed: both are told."""
    await _request(house, own)
    assert (await house.mailed())[-1] is AccountEmailChangeRequested
    assert house.opened("old_email") == EMAIL
    assert house.opened("new_email") == NEW_EMAIL
    await house.login()
    await _confirm(house, house.token())
    assert (await house.mailed())[-1] is AccountEmailChanged
    assert (house.opened("old_email"), house.opened("new_email")) == (EMAIL, NEW_EMAIL)
    assert house.bus.published_of(UserUpdated)[-1].revision == 3
    with pytest.raises(CredentialsInvalidError):
        await house.login()
    assert (await house.login(NEW_EMAIL.lower())).user_id == own.user_id


async def test_mf_6_change_needs_a_fresh_proof(house, own):
    """MF-6: five minutes after the sign-in it is asked for again."""
    house.clock.advance(timedelta(minutes=5, seconds=1))
    with pytest.raises(StepUpRequiredError):
        await _request(house, own)
    assert AccountEmailChangeRequested not in await house.mailed()


async def test_en_1_taken_address_is_answered_alike_and_never_confirmed(house, own):
    """EN-1: the old address gets the same word, the new one no link."""
    await house.join("bob@example.test")
    await _request(house, own, "BOB@example.test")
    assert (await house.mailed())[-1] is AccountEmailChangeRequested
    assert house.token() == ""
    with pytest.raises(LinkInvalidError):
        await _confirm(house, "")


async def test_address_taken_meanwhile_is_an_invalid_link(house, own):
    """The unique index decides; the confirming side learns no more than that."""
    await _request(house, own)
    token = house.token()
    await house.join(NEW_EMAIL)
    with pytest.raises(LinkInvalidError):
        await _confirm(house, token)
    assert await house.login()


async def test_pw_8_race_of_one_link_has_one_winner(house, own):
    """PW-8: of 50 parallel redemptions one succeeds."""
    await _request(house, own)
    token = house.token()
    results = await asyncio.gather(
        *(_confirm(house, token, f"10.0.1.{n}") for n in range(50)),
        return_exceptions=True,
    )
    assert results.count(None) == 1
    assert sum(isinstance(result, LinkInvalidError) for result in results) == 49


async def test_pw_8_other_links_are_void_after_the_change(house, own):
    """PW-8: a reset link that went to the old address is worth nothing then."""
    await house.state["password_change"].request_reset(email=EMAIL)
    await house.bus.settled()
    reset = house.token()
    await _request(house, own)
    await _confirm(house, house.token())
    with pytest.raises(LinkInvalidError):
        await house.state["password_change"].reset(
            token=reset, password="another password!", client_address=""
        )


async def test_own_address_is_no_change(house, own):
    """Asking for the address that one has sends nothing."""
    await _request(house, own, EMAIL.upper())
    assert AccountEmailChangeRequested not in await house.mailed()


async def test_bad_address_is_refused(house, own):
    """What is no address is told."""
    with pytest.raises(EmailInvalidError):
        await _request(house, own, "nonsense")


async def test_suspended_user_changes_no_address(house, own):
    """Neither asks nor confirms who may not sign in."""
    await _request(house, own)
    user = await house.adapters.stores.users.get(own.user_id, None)
    changed = user.changed(house.clock.now(), status=UserStatus.SUSPENDED)
    await house.adapters.stores.users.update(changed, None)
    with pytest.raises(UserMissingError):
        await _request(house, own, "third@example.test")
    with pytest.raises(LinkInvalidError):
        await _confirm(house, house.token())


async def test_mails_to_a_new_address_are_bounded(house, own):
    """A sixth within an hour is not sent, and nobody is told."""
    for _ in range(7):
        await _request(house, own)
    assert (await house.mailed()).count(AccountEmailChangeRequested) == 5
