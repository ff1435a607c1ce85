"""Sensitive actions ask for a fresh proof (MF-6)."""

from datetime import timedelta

import pytest

from libs.kernel import SessionId, UserId, new_id
from services.auth.domain import STEP_UP_FRESH, RevokeReason, StepUpRequiredError


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
