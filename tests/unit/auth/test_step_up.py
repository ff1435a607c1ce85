"""Sensitive actions ask for a fresh proof (MF-6)."""

from datetime import timedelta

import jwt
import pyotp
import pytest

from libs.chassis.freshness import STEP_UP_FRESH
from libs.kernel import SessionId, UserId, new_id
from services.auth.domain import RevokeReason
from services.auth.domain.errors import StepUpRequiredError
from services.auth.service import TokenWish
from tests.support.authenticator import Authenticator
from tests.unit.auth.conftest import ADDRESS, PASSWORD

ORIGIN = "https://chat.example.test"


async def test_mf_6_a_fresh_sign_in_passes(house):
    """MF-6: up to five minutes after the sign-in nothing more is asked."""
    ann, signed_in = await house.join(), await house.login()
    house.clock.advance(STEP_UP_FRESH)
    session = await house.state["step_up"].require(ann, signed_in.session_id)
    assert session.session_id == signed_in.session_id


async def test_mf_6_an_old_sign_in_does_not_pass(house):
    """MF-6: after that the action is refused, refreshes or not."""
    ann, signed_in = await house.join(), await house.login()
    await house.state["renewal"].refresh(signed_in.refresh_token)
    house.clock.advance(STEP_UP_FRESH + timedelta(seconds=1))
    with pytest.raises(StepUpRequiredError):
        await house.state["step_up"].require(ann, signed_in.session_id)


async def test_mf_6_only_an_own_living_session_passes(house):
    """MF-6: not another's session, not one that is over, not one that never was."""
    ann, signed_in = await house.join(), await house.login()
    step_up = house.state["step_up"]
    with pytest.raises(StepUpRequiredError):
        await step_up.require(UserId(new_id()), signed_in.session_id)
    with pytest.raises(StepUpRequiredError):
        await step_up.require(ann, SessionId(new_id()))
    await house.state["session_control"].revoke_own(
        ann, signed_in.session_id, RevokeReason.LOGOUT
    )
    with pytest.raises(StepUpRequiredError):
        await step_up.require(ann, signed_in.session_id)


@pytest.mark.parametrize(
    "act", ["token", "email", "passkey", "confirm_totp", "remove_totp", "codes"]
)
async def test_sr_1_who_is_shut_out_meanwhile_leaves_no_way_back(
    house, monkeypatch, act
):
    """SR-1: the proof counts in the transaction of the act, not a moment before it."""
    ann, signed_in = await house.join(), await house.login()
    ids = ann, signed_in.session_id
    call = await _acts(house, ids)[act]()
    run = house.bus.run_transaction

    async def outrun(callback):
        session = await house.adapters.stores.sessions.get(ids[1], None)
        ended = session.revoked(RevokeReason.PASSWORD_VOIDED, house.clock.now())
        await house.adapters.stores.sessions.revoke(ended, None)
        return await run(callback)

    monkeypatch.setattr(house.bus, "run_transaction", outrun)
    with pytest.raises(StepUpRequiredError):
        await call()


def _acts(house, ids):
    """Return, by name, what prepares a sensitive act; that returns the act."""
    factors, passkeys = house.state["second_factors"], house.state["passkeys"]

    async def token():
        wish = TokenWish("bot", ("files:read",), 30)
        return lambda: house.state["personal_tokens"].create(*ids, wish)

    async def email():
        change = house.state["email_change"]
        return lambda: change.request(*ids, email="thief@example.test")

    async def passkey():
        made = Authenticator(ORIGIN).create(await passkeys.offer(*ids))
        return lambda: passkeys.add(*ids, "theirs", made)

    async def confirm_totp():
        offer = await factors.offer_totp(*ids)
        code = pyotp.TOTP(offer.secret).at(house.clock.now())
        return lambda: factors.confirm_totp(*ids, code)

    async def remove_totp():
        await (await confirm_totp())()
        return lambda: factors.remove_totp(*ids)

    async def codes():
        await (await confirm_totp())()
        return lambda: factors.renew_recovery_codes(*ids)

    prepared = (token, email, passkey, confirm_totp, remove_totp, codes)
    return {one.__name__: one for one in prepared}


async def test_au_2_sign_ins_and_failures_are_recorded(house):
    """AU-2: who came in by what, and who did not; without address or password."""
    ann, signed_in = await house.join(), await house.login()
    with pytest.raises(Exception, match="do not match"):
        await house.login(password="wrong password here")
    audit = house.adapters.stores.audit
    [started] = audit.of("session.started")
    assert (started.actor_id, started.target_id) == (ann, signed_in.session_id)
    assert started.details == {"methods": "pwd"}
    [refused] = audit.of("session.refused")
    assert (refused.actor_id, refused.reason) == (ann, "credentials_invalid")


def _proved_at(signed_in):
    unverified = {"verify_signature": False}
    return jwt.decode(signed_in.access_token, options=unverified)["auth_time"]


async def test_mf_6_an_access_token_tells_others_of_the_proof(house):
    """MF-6: of the sign-in, also after a refresh; of the step-up after that."""
    user_id = await house.join()
    first = await house.login()
    began = int(house.clock.now().timestamp())
    house.clock.advance(house.stale)
    second = await house.state["renewal"].refresh(first.refresh_token)
    assert _proved_at(first) == _proved_at(second) == began
    again = await house.state["reauthentication"].prove_password(
        user_id, second.session_id, PASSWORD, client_address=ADDRESS
    )
    assert _proved_at(again) == int(house.clock.now().timestamp())
