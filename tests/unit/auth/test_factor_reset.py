"""An administrator takes the second factors of somebody who has lost them."""

import pytest

from libs.events.catalog import AccountMfaChanged
from services.auth.domain.errors import (
    LastWayInError,
    NotPermittedError,
    OwnAccountError,
    PendingSignInInvalidError,
    RefreshTokenInvalidError,
    SecondFactorMissingError,
)
from services.auth.service import SecondFactorRequired, SignedIn
from tests.support.authenticator import Authenticator
from tests.unit.auth.conftest import EMAIL

ORIGIN = "https://chat.example.test"
WHY = "her phone fell into a lake"


@pytest.fixture
async def admin(house):
    """An admin with a fresh session."""
    return await house.person("admin")


@pytest.fixture
async def ann(house):
    """The session of somebody with a passkey."""
    await house.join()
    signed_in = await house.login()
    passkeys, ids = house.state["passkeys"], (signed_in.user_id, signed_in.session_id)
    credential = Authenticator(ORIGIN).create(await passkeys.offer(*ids))
    await passkeys.add(*ids, "key", credential)
    return signed_in


@pytest.fixture
def reset(house):
    """The use case."""
    return house.state["factor_reset"]


async def test_sr_1_sessions_and_waiting_sign_ins_end_with_the_factors(
    house, admin, ann, reset
):
    """SR-1: the password is enough again, where no factor is required."""
    pending = await house.login()
    assert isinstance(pending, SecondFactorRequired)
    await reset.order(admin, ann.user_id, WHY)
    with pytest.raises(RefreshTokenInvalidError):
        await house.state["renewal"].refresh(ann.refresh_token)
    with pytest.raises(PendingSignInInvalidError):
        await house.state["second_factor_sign_in"].look(
            pending.pending_token, is_web_client=False
        )
    assert isinstance(await house.login(), SignedIn)


async def test_mf_3_where_one_is_required_it_is_enrolled_anew(
    house, admin, ann, reset, settings
):
    """MF-3: a reset is no way around the rule."""
    required = settings.model_copy(update={"second_factor_roles": ("*",)})
    house.set_up_anew(required)
    await house.state["factor_reset"].order(admin, ann.user_id, WHY)
    assert (await house.login()).is_enrolment


async def test_its_owner_is_told_and_it_is_recorded(house, admin, ann, reset):
    """By mail, and in the audit with who did it and why."""
    await reset.order(admin, ann.user_id, WHY)
    assert house.bus.published_of(AccountMfaChanged)[-1].change == "reset"
    [entry] = house.adapters.stores.audit.of("second_factors.reset")
    assert (entry.actor_id, entry.target_id, entry.reason) == (
        admin.user_id,
        ann.user_id,
        WHY,
    )


async def test_only_who_has_lost_some_has_them_reset(house, admin, ann, reset):
    """By somebody else who may; and not the last way in."""
    moderator = await house.person("moderator", name="Mo")
    with pytest.raises(NotPermittedError):
        await reset.order(moderator, ann.user_id, WHY)
    with pytest.raises(OwnAccountError):
        await reset.order(admin, admin.user_id, WHY)
    with pytest.raises(SecondFactorMissingError):
        await reset.order(admin, moderator.user_id, WHY)
    await house.adapters.stores.credentials.remove(ann.user_id, None)
    with pytest.raises(LastWayInError):
        await reset.order(admin, ann.user_id, WHY)


async def test_sr_1_the_account_is_pinned(house, admin, ann, reset, monkeypatch):
    """SR-1: no session that the factors let in begins beside it."""
    pinned = house.pins(monkeypatch)
    await reset.order(admin, ann.user_id, WHY)
    assert ann.user_id in pinned
    assert (await house.login(EMAIL)).user_id == ann.user_id
