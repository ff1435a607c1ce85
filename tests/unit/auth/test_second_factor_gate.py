"""A first factor alone opens no session where a second one is set up (MF-3)."""

from services.auth.domain import (
    ClientDevice,
    Factor,
    SecondFactors,
)
from services.auth.service import SecondFactorRequired, SignedIn


async def _enrol(house, user_id):
    factors = SecondFactors(user_id).with_candidate("A" * 32, house.clock.now())
    await house.adapters.stores.second_factors.save(factors, None)
    enrolled = factors.with_totp(1, ["a", "b"])
    await house.adapters.stores.second_factors.save(enrolled, None)


async def test_mf_3_without_a_second_factor_a_password_is_enough(house):
    """MF-3: nothing is asked of who has set up nothing and needs nothing."""
    await house.join()
    assert isinstance(await house.login(), SignedIn)


async def test_mf_3_with_a_second_factor_a_password_opens_no_session(house):
    """MF-3: a pending sign-in is no session, and its token is stored as a hash."""
    ann = await house.join()
    await _enrol(house, ann)
    required = await house.login()
    assert isinstance(required, SecondFactorRequired)
    assert required.factors == (Factor.TOTP, Factor.RECOVERY_CODE)
    assert not required.is_enrolment
    sessions = await house.state["session_control"].list_own(ann, after=None, limit=9)
    assert sessions.items == []
    [stored] = house.adapters.stores.pending_sign_ins._pending.values()
    assert required.pending_token not in str(stored)
    assert stored.device == ClientDevice("phone", "10.0.0.1", has_cookie=False)
