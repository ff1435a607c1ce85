"""Of what a sign-in can begin with one thing always stays."""

import pytest

from libs.events.catalog import AccountIdentityChanged
from services.auth.domain.errors import (
    LastWayInError,
    PendingSignInInvalidError,
)
from tests.support.authenticator import Authenticator
from tests.unit.auth.conftest import EMAIL
from tests.unit.auth.test_providers import Browser

ORIGIN = "https://chat.example.test"


@pytest.fixture
def browser(house):
    """A browser without cookies yet."""
    return Browser(house)


@pytest.fixture
def enforced(settings):
    """Settings by which everyone must have a second factor."""
    return settings.model_copy(update={"second_factor_roles": ("*",)})


async def _register(house, who, *, is_discoverable=True):
    """Register a passkey of a session's user; return it."""
    passkeys, ids = house.state["passkeys"], (who.user_id, who.session_id)
    authenticator = Authenticator(ORIGIN, is_discoverable=is_discoverable)
    credential = authenticator.create(await passkeys.offer(*ids))
    return (await passkeys.add(*ids, "key", credential)).passkey


async def test_a_passkey_that_opens_alone_is_a_way_in(house, browser):
    """The identity may go then; the key may not any more."""
    who = await browser.sign_in()
    passkey = await _register(house, who)
    await browser.unlink(who)
    assert await house.state["provider_links"].list_own(who.user_id) == {}
    with pytest.raises(LastWayInError):
        await house.state["passkeys"].remove(
            who.user_id, who.session_id, passkey.passkey_id
        )


async def test_a_passkey_that_is_a_second_factor_alone_is_none(house, browser):
    """Nobody begins a sign-in with it, so the identity stays."""
    who = await browser.sign_in()
    await _register(house, who, is_discoverable=False)
    with pytest.raises(LastWayInError):
        await browser.unlink(who)


async def test_its_owner_is_told_of_a_linked_and_an_unlinked_identity(house, browser):
    """By mail, as of every change of what signs in."""
    await house.join()
    who = await house.login()
    await browser.link(who)
    await browser.unlink(who)
    assert (await house.mailed())[-2:] == [AccountIdentityChanged] * 2
    told = house.bus.published_of(AccountIdentityChanged)
    assert [(one.change, one.provider) for one in told] == [
        ("linked", "Acme"),
        ("unlinked", "Acme"),
    ]
    assert house.opened("email") == EMAIL


@pytest.mark.parametrize("notice", [{"sid": "one"}, {"sub": "subject-1"}])
async def test_a_providers_logout_voids_what_waits_for_a_factor(
    house, browser, enforced, notice
):
    """A sign-in that the provider vouched for is not finished after its logout."""
    await browser.sign_in()
    house.set_up_anew(enforced)
    browser.journey = house.state["provider_journey"]
    pending = await browser.sign_in(sid="one")
    other = await browser.sign_in(sid="two")
    await house.state["provider_logout"].end(
        "acme", house.stubs["acme"].signer.logout_token(**notice)
    )
    look = house.state["second_factor_sign_in"].look
    with pytest.raises(PendingSignInInvalidError):
        await look(pending.pending_token, is_web_client=False)
    if "sid" in notice:
        assert await look(other.pending_token, is_web_client=False)


async def test_a_voided_password_is_a_way_in(house, browser):
    """A link by mail leads to a new one."""
    user_id = await house.join()
    who = await house.login()
    await browser.link(who)
    await house.adapters.stores.credentials.void(user_id, None)
    await browser.unlink(who)
    assert await house.state["provider_links"].list_own(user_id) == {}
