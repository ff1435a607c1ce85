"""Setting up second factors, and what they then open (MF-1 to MF-6)."""

import asyncio
from datetime import timedelta

import pyotp
import pytest

from services.auth.domain import (
    AuthMethod,
    ClientDevice,
    Factor,
)
from services.auth.domain.errors import (
    AttemptsThrottledError,
    CredentialsInvalidError,
    OriginRefusedError,
    PasswordInvalidError,
    PendingSignInInvalidError,
    RefreshTokenInvalidError,
    SecondFactorEnforcedError,
    SecondFactorInvalidError,
    SecondFactorMissingError,
    SecondFactorNeededError,
    SecondFactorRequiredError,
    StepUpRequiredError,
)
from services.auth.service import RecoveryProof, SignedIn, TotpProof
from tests.unit.auth.conftest import ADDRESS, PASSWORD

STEP = timedelta(seconds=30)


class Person:
    """Ann with an authenticator app."""

    def __init__(self, house, user_id, signed_in):
        self.house = house
        self.user_id = user_id
        self.session = signed_in
        self.codes = ()
        self.app = None

    async def enrol(self):
        """Set up the app; a step later, so that the next code is a new one."""
        own = self.house.state["second_factors"]
        offer = await own.offer_totp(self.user_id, self.session.session_id)
        self.app = pyotp.TOTP(offer.secret)
        self.codes = await own.confirm_totp(
            self.user_id, self.session.session_id, self.code()
        )
        self.house.clock.advance(STEP)
        return self

    def code(self):
        """The code that the app shows."""
        return self.app.at(self.house.clock.now())

    def proof(self):
        """The same as it is shown to auth."""
        return TotpProof(self.code())

    async def finish(self, pending, proof, *, is_web_client=False):
        """Show a second factor for a pending sign-in."""
        return await self.house.state["second_factor_sign_in"].finish(
            pending.pending_token,
            proof,
            client_address=ADDRESS,
            is_web_client=is_web_client,
        )

    async def step_up(self, proof):
        """Prove oneself again; a text is a password."""
        again = self.house.state["reauthentication"]
        ids = (self.user_id, self.session.session_id)
        if isinstance(proof, str):
            return await again.prove_password(*ids, proof, client_address=ADDRESS)
        return await again.prove_factor(*ids, proof, client_address=ADDRESS)


@pytest.fixture
async def ann(house):
    """A user who is signed in with a password."""
    user_id = await house.join()
    return Person(house, user_id, await house.login())


@pytest.fixture
async def enrolled(ann):
    """The same with an authenticator app."""
    return await ann.enrol()


async def test_mf_4_a_seed_is_in_use_after_its_first_code(house, ann):
    """MF-4: an offer alone changes no sign-in, and a wrong code none either."""
    own = house.state["second_factors"]
    await own.offer_totp(ann.user_id, ann.session.session_id)
    with pytest.raises(SecondFactorInvalidError):
        await own.confirm_totp(ann.user_id, ann.session.session_id, "000000")
    assert isinstance(await house.login(), SignedIn)
    await ann.enrol()
    assert (await house.login()).factors == (Factor.TOTP, Factor.RECOVERY_CODE)
    overview = await own.overview(ann.user_id)
    assert (len(ann.codes), len(overview.factors.recovery_hashes)) == (10, 10)
    assert [entry.actor_id for entry in house.adapters.stores.audit.of("totp.enrolled")]


async def test_mf_4_an_offer_is_good_for_fifteen_minutes(house, ann):
    """MF-4: a seed that was shown long ago and never used is void."""
    own = house.state["second_factors"]
    offer = await own.offer_totp(ann.user_id, ann.session.session_id)
    house.clock.advance(timedelta(minutes=16))
    ann.session = await ann.step_up(PASSWORD)
    code = pyotp.TOTP(offer.secret).at(house.clock.now())
    with pytest.raises(SecondFactorInvalidError):
        await own.confirm_totp(ann.user_id, ann.session.session_id, code)


async def test_sr_1_a_new_factor_ends_all_other_sessions(house, ann):
    """SR-1: what was opened by a password alone does not stay open."""
    other = await house.login()
    await ann.enrol()
    listed = await house.state["session_control"].list_own(
        ann.user_id, after=None, limit=9
    )
    assert [one.session_id for one in listed.items] == [ann.session.session_id]
    assert [one.session_id for one in house.announcer.announced] == [other.session_id]


async def test_mf_3_no_session_begins_beside_a_change_of_factors(
    house, ann, monkeypatch
):
    """MF-3: the change pins the account that a sign-in pins too: one waits."""
    pinned = house.pins(monkeypatch)
    await ann.enrol()
    assert pinned == [ann.user_id]


async def test_mf_3_a_second_factor_finishes_the_sign_in(house, enrolled):
    """MF-3: tokens of a session that says what proved it; the pending one is spent."""
    pending = await house.login()
    signed_in = await enrolled.finish(pending, enrolled.proof())
    stored = await house.adapters.stores.sessions.get(signed_in.session_id, None)
    assert stored.methods == (AuthMethod.PASSWORD, AuthMethod.ONE_TIME_CODE)
    assert stored.device_name == "phone"
    house.clock.advance(STEP)
    with pytest.raises(PendingSignInInvalidError):
        await enrolled.finish(pending, enrolled.proof())


async def test_mf_1_of_20_parallel_uses_of_a_code_one_succeeds(house, enrolled):
    """MF-1: each with a pending sign-in of its own, all with the same code."""
    pending = [await house.login() for _ in range(20)]
    proof = enrolled.proof()
    outcomes = await asyncio.gather(
        *(enrolled.finish(one, proof) for one in pending), return_exceptions=True
    )
    assert sum(isinstance(one, SignedIn) for one in outcomes) == 1
    refused = SecondFactorInvalidError | AttemptsThrottledError
    assert sum(isinstance(one, refused) for one in outcomes) == 19


async def test_mf_2_a_pending_sign_in_takes_five_tries(house, enrolled):
    """MF-2: after five wrong codes the right one is too late."""
    pending = await house.login()
    for _ in range(5):
        with pytest.raises(SecondFactorInvalidError):
            await enrolled.finish(pending, TotpProof("000000"))
    with pytest.raises(PendingSignInInvalidError):
        await enrolled.finish(pending, enrolled.proof())
    refused = house.adapters.stores.audit.of("second_factor.refused")
    assert [entry.actor_id for entry in refused] == [enrolled.user_id] * 5


async def test_mf_2_an_account_takes_ten_wrong_codes_an_hour(house, enrolled):
    """MF-2: however many sign-ins are begun and from wherever; then it waits."""
    wrong = 0
    for number in range(30):
        pending = await house.login()
        try:
            await house.state["second_factor_sign_in"].finish(
                pending.pending_token,
                TotpProof("000000"),
                client_address=f"10.1.{number}.1",
                is_web_client=False,
            )
        except SecondFactorInvalidError:
            wrong += 1
        except AttemptsThrottledError:
            pass
    assert wrong == 10
    house.clock.advance(timedelta(hours=1))
    pending = await house.login()
    assert isinstance(await enrolled.finish(pending, enrolled.proof()), SignedIn)


async def test_mf_2_a_pending_sign_in_lives_five_minutes(house, enrolled):
    """MF-2: to the second."""
    pending = await house.login()
    assert pending.expires_in == 300
    house.clock.advance(timedelta(minutes=5))
    with pytest.raises(PendingSignInInvalidError):
        await enrolled.finish(pending, enrolled.proof())


async def test_mf_3_a_pending_token_is_not_guessed(house, enrolled):
    """MF-3: an invented one opens nothing, whatever the proof."""
    pending = await house.login()
    invented = type(pending)(
        "x" * 43, pending.factors, is_enrolment=False, expires_in=1
    )
    with pytest.raises(PendingSignInInvalidError):
        await enrolled.finish(invented, enrolled.proof())


async def test_mf_3_a_browsers_sign_in_is_finished_in_the_browser(house, enrolled):
    """MF-3: a pending sign-in for a cookie needs the web client's own request."""
    pending = await house.state["sign_in"].login(
        email="ann@example.test",
        password=PASSWORD,
        device=ClientDevice("web", ADDRESS, has_cookie=True),
    )
    with pytest.raises(OriginRefusedError):
        await enrolled.finish(pending, enrolled.proof())
    done = await enrolled.finish(pending, enrolled.proof(), is_web_client=True)
    assert done.is_cookie


async def test_mf_5_a_recovery_code_opens_once_and_is_told(house, enrolled):
    """MF-5: 50 parallel uses, one success; mailed and audited; nine are left."""
    pending = [await house.login() for _ in range(50)]
    proof = RecoveryProof(enrolled.codes[0].lower())
    outcomes = await asyncio.gather(
        *(enrolled.finish(one, proof) for one in pending), return_exceptions=True
    )
    assert sum(isinstance(one, SignedIn) for one in outcomes) == 1
    [used] = house.adapters.stores.audit.of("recovery_code.used")
    assert used.details == {"left": 9}
    changes = [getattr(event, "change", None) for event in house.bus.published]
    assert changes.count("recovery_used") == 1


async def test_mf_5_new_recovery_codes_void_the_old_ones(house, enrolled):
    """MF-5: and are shown this once."""
    own, old = house.state["second_factors"], enrolled.codes
    renewed = await own.renew_recovery_codes(
        enrolled.user_id, enrolled.session.session_id
    )
    assert set(renewed).isdisjoint(old)
    with pytest.raises(SecondFactorInvalidError):
        await enrolled.finish(await house.login(), RecoveryProof(old[0]))
    done = await enrolled.finish(await house.login(), RecoveryProof(renewed[0]))
    assert isinstance(done, SignedIn)


async def test_mf_6_changes_of_factors_need_a_fresh_proof(house, enrolled):
    """MF-6: five minutes after the last proof each of them is refused."""
    house.clock.advance(timedelta(minutes=6))
    own = house.state["second_factors"]
    ids = (enrolled.user_id, enrolled.session.session_id)
    for refused in (
        own.offer_totp(*ids),
        own.confirm_totp(*ids, "000000"),
        own.remove_totp(*ids),
        own.renew_recovery_codes(*ids),
    ):
        with pytest.raises(StepUpRequiredError):
            await refused


async def test_mf_6_removing_the_app_after_stepping_up(house, enrolled):
    """MF-6: then a password is enough again, and the spare codes are gone."""
    house.clock.advance(timedelta(minutes=6))
    enrolled.session = await enrolled.step_up(enrolled.proof())
    own = house.state["second_factors"]
    ids = (enrolled.user_id, enrolled.session.session_id)
    await own.remove_totp(*ids)
    assert isinstance(await house.login(), SignedIn)
    with pytest.raises(SecondFactorMissingError):
        await own.remove_totp(*ids)
    with pytest.raises(SecondFactorMissingError):
        await own.renew_recovery_codes(*ids)


async def test_sr_5_a_step_up_gives_the_session_a_new_id(house, ann):
    """SR-5: the old id is dead at once, the device stays signed in for as long."""
    before = await house.adapters.stores.sessions.get(ann.session.session_id, None)
    house.clock.advance(timedelta(minutes=10))
    renewed = await ann.step_up(PASSWORD)
    after = await house.adapters.stores.sessions.get(renewed.session_id, None)
    assert renewed.session_id != before.session_id
    assert (after.device_name, after.expires_at) == ("phone", before.expires_at)
    await house.state["step_up"].require(ann.user_id, renewed.session_id)
    with pytest.raises(RefreshTokenInvalidError):
        await house.state["renewal"].refresh(ann.session.refresh_token)
    assert [one.session_id for one in house.announcer.announced] == [before.session_id]


async def test_mf_6_a_password_steps_up_only_who_has_no_second_factor(house, enrolled):
    """MF-6: a thief of a session who knows the password changes no factor."""
    with pytest.raises(SecondFactorNeededError):
        await enrolled.step_up(PASSWORD)
    assert isinstance(await enrolled.step_up(enrolled.proof()), SignedIn)


async def test_lt_5_a_password_at_step_up_has_the_budget_of_sign_ins(house, ann):
    """LT-5: wrong ones there are wrong ones everywhere."""
    for _ in range(5):
        with pytest.raises(CredentialsInvalidError):
            await ann.step_up("wrong password here")
    with pytest.raises(Exception, match="Too many"):
        await house.login()


async def test_a_refused_step_up_is_recorded(house, ann):
    """Section 3: a wrong password there, as one at sign-in."""
    with pytest.raises(CredentialsInvalidError):
        await ann.step_up("wrong password here")
    [entry] = house.adapters.stores.audit.of("step_up.refused")
    assert (entry.actor_id, entry.reason) == (
        ann.session.user_id,
        "credentials_invalid",
    )


@pytest.fixture
def enforced(house, settings):
    """Auth where every member must have a second factor."""
    required = settings.model_copy(update={"second_factor_roles": ("member",)})
    house.set_up_anew(required)


async def test_mf_3_who_must_have_a_factor_enrols_while_signing_in(house, enforced):
    """MF-3: no session before; the pending token opens the set-up, then is spent."""
    await house.join()
    pending = await house.login()
    assert pending.is_enrolment
    assert pending.factors == ()
    enrolment = house.state["enrolment_sign_in"]
    offer = await enrolment.offer_totp(pending.pending_token, is_web_client=False)
    code = pyotp.TOTP(offer.secret).at(house.clock.now())
    done = await enrolment.confirm_totp(
        pending.pending_token, code, is_web_client=False
    )
    assert len(done.recovery_codes) == 10
    renewed = await house.state["renewal"].refresh(done.signed_in.refresh_token)
    assert renewed.session_id == done.signed_in.session_id
    with pytest.raises(PendingSignInInvalidError):
        await enrolment.offer_totp(pending.pending_token, is_web_client=False)


async def test_mf_3_of_two_set_ups_at_once_only_the_first_is_taken(house, enforced):
    """MF-3: who waits with the password alone replaces no app of its owner."""
    await house.join()
    enrolment = house.state["enrolment_sign_in"]
    mine, theirs = [(await house.login()).pending_token for _ in range(2)]
    offer = await enrolment.offer_totp(mine, is_web_client=False)
    app = pyotp.TOTP(offer.secret)
    code = app.at(house.clock.now())
    await enrolment.confirm_totp(mine, code, is_web_client=False)
    house.clock.advance(STEP)
    with pytest.raises(PendingSignInInvalidError):
        await enrolment.offer_totp(theirs, is_web_client=False)
    with pytest.raises(PendingSignInInvalidError):
        await enrolment.confirm_totp(
            theirs, app.at(house.clock.now()), is_web_client=False
        )


async def test_sr_1_enrolling_while_signing_in_ends_all_other_sessions(
    house, ann, settings
):
    """SR-1: what a password alone opened before the rule does not stay open."""
    required = settings.model_copy(update={"second_factor_roles": ("member",)})
    house.set_up_anew(required)
    pending = (await house.login()).pending_token
    enrolment = house.state["enrolment_sign_in"]
    offer = await enrolment.offer_totp(pending, is_web_client=False)
    code = pyotp.TOTP(offer.secret).at(house.clock.now())
    await enrolment.confirm_totp(pending, code, is_web_client=False)
    ended = [one.session_id for one in house.announcer.announced]
    assert ended == [ann.session.session_id]


async def test_pw_2_eight_characters_do_where_a_second_factor_is_enforced(
    house, enforced
):
    """PW-2: a shorter password for who can never sign in with it alone."""
    await house.register("bob@example.test", password="p4ss w-x")
    with pytest.raises(PasswordInvalidError):
        await house.register("eve@example.test", password="p4ss w-")


async def test_mf_3_a_refresh_does_not_get_around_a_required_factor(
    house, ann, settings
):
    """MF-3: a session from before the rule signs in again, and meets it."""
    required = settings.model_copy(update={"second_factor_roles": ("*",)})
    house.set_up_anew(required)
    with pytest.raises(SecondFactorRequiredError):
        await house.state["renewal"].refresh(ann.session.refresh_token)


async def test_mf_3_a_password_adds_no_factor_to_who_has_one(house, enrolled):
    """MF-3: a pending token of an enrolled user opens no set-up."""
    pending = await house.login()
    with pytest.raises(PendingSignInInvalidError):
        await house.state["enrolment_sign_in"].offer_totp(
            pending.pending_token, is_web_client=False
        )


async def test_mf_3_the_last_required_factor_stays(house, enforced):
    """MF-3: nobody removes what the rule asks for."""
    user_id = await house.join()
    pending = await house.login()
    enrolment = house.state["enrolment_sign_in"]
    offer = await enrolment.offer_totp(pending.pending_token, is_web_client=False)
    code = pyotp.TOTP(offer.secret).at(house.clock.now())
    done = await enrolment.confirm_totp(
        pending.pending_token, code, is_web_client=False
    )
    with pytest.raises(SecondFactorEnforcedError):
        await house.state["second_factors"].remove_totp(
            user_id, done.signed_in.session_id
        )
