"""Passkeys by an authenticator in software that makes real signatures."""

from datetime import timedelta

import cbor2
import pytest

from libs.kernel import new_id
from services.auth.domain import (
    AuthMethod,
    CeremonyPurpose,
    ClientDevice,
    Factor,
)
from services.auth.domain.errors import (
    PasskeyInvalidError,
    PasskeyKnownError,
    PendingSignInInvalidError,
    SecondFactorInvalidError,
    SecondFactorMissingError,
    StepUpRequiredError,
)
from services.auth.service import PasskeyProof, SignedIn, hash_pending_token
from tests.support.authenticator import Authenticator, encode
from tests.unit.auth.conftest import ADDRESS, PASSWORD

ORIGIN = "https://chat.example.test"
DEVICE = ClientDevice("laptop", ADDRESS, has_cookie=False)


class Holder:
    """Somebody with a passkey."""

    def __init__(self, house, user_id, session_id):
        self.house = house
        self.ids = (user_id, session_id)
        self.passkeys = house.state["passkeys"]
        self.authenticator = Authenticator(ORIGIN)

    async def register(self, name="key"):
        """Register the authenticator."""
        options = await self.passkeys.offer(*self.ids)
        return await self.passkeys.add(
            *self.ids, name, self.authenticator.create(options)
        )

    async def sign(self, purpose=CeremonyPurpose.SIGN_IN, binding=""):
        """Sign a challenge of this purpose."""
        user_id = None if purpose is CeremonyPurpose.SIGN_IN else self.ids[0]
        options = await self.passkeys.begin(purpose, binding, user_id)
        return self.authenticator.get(options)

    async def sign_in(self, credential=None):
        """Sign in with the key alone."""
        return await self.passkeys.sign_in(credential or await self.sign(), DEVICE)


@pytest.fixture
async def ann(house):
    """A user who is signed in with a password."""
    return Holder(house, await house.join(), (await house.login()).session_id)


@pytest.fixture
async def keyed(ann):
    """The same with a passkey."""
    await ann.register()
    return ann


async def test_mf_3_a_passkey_alone_is_two_factors(house, keyed):
    """MF-3: it checked its holder, so nothing more is asked; the session says how."""
    signed_in = await keyed.sign_in()
    assert isinstance(signed_in, SignedIn)
    stored = await house.adapters.stores.sessions.get(signed_in.session_id, None)
    assert stored.methods == (AuthMethod.PASSKEY,)
    await house.state["step_up"].require(keyed.ids[0], signed_in.session_id)


async def test_mf_3_a_passkey_finishes_a_sign_in_by_password(house, keyed):
    """MF-3: as a second factor it need not check its holder."""
    keyed.authenticator.verifies_user = False
    pending = await house.login()
    assert pending.factors == (Factor.PASSKEY, Factor.RECOVERY_CODE)
    binding = hash_pending_token(pending.pending_token)
    purpose = CeremonyPurpose.SECOND_FACTOR
    proof = PasskeyProof(await keyed.sign(purpose, binding), purpose, binding)
    done = await house.state["second_factor_sign_in"].finish(
        pending.pending_token, proof, client_address=ADDRESS, is_web_client=False
    )
    stored = await house.adapters.stores.sessions.get(done.session_id, None)
    assert stored.methods == (AuthMethod.PASSWORD, AuthMethod.PASSKEY)


async def test_mf_6_a_passkey_steps_up(house, keyed):
    """MF-6: and the session has a new id."""
    house.clock.advance(timedelta(minutes=10))
    purpose, binding = CeremonyPurpose.STEP_UP, keyed.ids[1]
    proof = PasskeyProof(await keyed.sign(purpose, binding), purpose, binding)
    renewed = await house.state["reauthentication"].prove_factor(
        *keyed.ids, proof, client_address=ADDRESS
    )
    assert renewed.session_id != keyed.ids[1]
    await house.state["step_up"].require(keyed.ids[0], renewed.session_id)


FLAWS = {
    "another site": {"origin": "https://evil.example.test"},
    "a site whose name begins alike": {"origin": f"{ORIGIN}.evil.test"},
    "no TLS": {"origin": "http://chat.example.test"},
    "the domain above": {"rp_id": "example.test"},
    "another relying party": {"rp_id": "evil.example.test"},
    "a holder who was not checked": {"verifies_user": False},
    "a frame of another page": {"cross_origin": True},
    "nobody's key": {"user_handle": b""},
    "another user's key": {"user_handle": new_id().encode()},
    "no text": {"user_handle": b"\xff\xfe"},
    "an unknown key": {"credential_id": b"another"},
    "another key": {"key": Authenticator(ORIGIN).key},
}
_OF_REGISTRATION = ("another site", "another relying party", "a frame of another page")


@pytest.mark.parametrize("flaw", FLAWS)
async def test_a_sign_in_with_a_flaw_is_refused(keyed, flaw):
    """Origin, relying party, holder, frame, user, key: each has to be right."""
    for name, value in FLAWS[flaw].items():
        setattr(keyed.authenticator, name, value)
    with pytest.raises(SecondFactorInvalidError):
        await keyed.sign_in()


async def test_a_challenge_is_good_once(keyed):
    """The same answer again opens nothing."""
    credential = await keyed.sign()
    await keyed.sign_in(credential)
    with pytest.raises(SecondFactorInvalidError):
        await keyed.sign_in(credential)


async def test_a_challenge_that_was_answered_wrongly_is_spent(keyed):
    """A wrong answer spends it as well."""
    options = await keyed.passkeys.begin(CeremonyPurpose.SIGN_IN, "")
    good = keyed.authenticator.get(options)
    bad = good | {"response": good["response"] | {"signature": encode(b"x" * 70)}}
    for credential in (bad, good):
        with pytest.raises(SecondFactorInvalidError):
            await keyed.sign_in(credential)


async def test_a_challenge_lives_five_minutes(house, keyed):
    """And not a second longer."""
    credential = await keyed.sign()
    house.clock.advance(timedelta(minutes=5))
    with pytest.raises(SecondFactorInvalidError):
        await keyed.sign_in(credential)


async def test_a_challenge_is_for_one_purpose_and_one_place(keyed):
    """One made for a step up, or by nobody, signs nobody in."""
    with pytest.raises(SecondFactorInvalidError):
        await keyed.sign_in(await keyed.sign(CeremonyPurpose.STEP_UP, keyed.ids[1]))
    invented = {"challenge": encode(b"x" * 32), "rpId": "chat.example.test"}
    with pytest.raises(SecondFactorInvalidError):
        await keyed.sign_in(keyed.authenticator.get(invented))


async def test_a_cloned_counter_is_refused_and_audited(house, keyed):
    """Two authenticators with one key: the one that lags behind is refused."""
    keyed.authenticator.count = 10
    await keyed.sign_in()
    keyed.authenticator.count = 5
    with pytest.raises(SecondFactorInvalidError):
        await keyed.sign_in()
    [refused] = house.adapters.stores.audit.of("second_factor.refused")
    assert refused.reason == "passkey_cloned"
    assert (refused.actor_id, refused.source) == (keyed.ids[0], ADDRESS)


async def test_a_refused_key_is_recorded_of_nobody(house, keyed):
    """Section 3: whoever a stranger's answer names did not do it."""
    credential = await keyed.sign()
    keyed.authenticator.key = Authenticator(ORIGIN).key
    for answer in (credential | {"id": "AAAA"}, await keyed.sign()):
        with pytest.raises(SecondFactorInvalidError):
            await keyed.sign_in(answer)
    refused = house.adapters.stores.audit.of("second_factor.refused")
    assert {(one.actor_id, one.source) for one in refused} == {("anonymous", ADDRESS)}


async def test_an_authenticator_that_does_not_count_is_taken(keyed):
    """Synchronised passkeys always say zero."""
    keyed.authenticator.step = 0
    await keyed.sign_in()
    assert isinstance(await keyed.sign_in(), SignedIn)


@pytest.mark.parametrize("flaw", _OF_REGISTRATION)
async def test_a_registration_with_a_flaw_is_refused(ann, flaw):
    """Nothing is stored of it."""
    for name, value in FLAWS[flaw].items():
        setattr(ann.authenticator, name, value)
    with pytest.raises(PasskeyInvalidError):
        await ann.register()
    assert isinstance(await ann.house.login(), SignedIn)


async def test_a_registrations_challenge_is_the_sessions_and_good_once(house, ann):
    """Another session's, a spent one and an invented one are refused."""
    credential = ann.authenticator.create(await ann.passkeys.offer(*ann.ids))
    other = (await house.login()).session_id
    with pytest.raises(PasskeyInvalidError):
        await ann.passkeys.add(ann.ids[0], other, "key", credential)
    with pytest.raises(PasskeyInvalidError):
        await ann.passkeys.add(*ann.ids, "key", credential)


@pytest.mark.parametrize(
    "noise",
    ["", "[" * 9_000, "{}", "\x00", '"x"'],
    ids=["none", "deep", "{}", "nul", "text"],
)
async def test_noise_is_refused_not_an_error(keyed, noise):
    """Whatever stands in the client's data."""
    credential = await keyed.sign()
    response = credential["response"] | {"clientDataJSON": encode(noise.encode())}
    with pytest.raises(SecondFactorInvalidError):
        await keyed.sign_in(credential | {"response": response})


@pytest.mark.parametrize("key", [[], {}, "x", None], ids=repr)
async def test_noise_for_a_key_is_refused_not_an_error(ann, key):
    """Whatever stands where the public key should."""
    ann.authenticator.noise = cbor2.dumps(key)
    with pytest.raises(PasskeyInvalidError):
        await ann.register()


async def test_a_key_belongs_to_one_user(house, keyed):
    """The same authenticator is refused for the same and for another user."""
    with pytest.raises(PasskeyKnownError):
        await keyed.register()
    bob = Holder(
        house,
        await house.join("bob@example.test", name="Bob"),
        (await house.login("bob@example.test")).session_id,
    )
    bob.authenticator = keyed.authenticator
    with pytest.raises(PasskeyKnownError):
        await bob.register()


async def test_keys_are_named_and_removed_with_a_fresh_proof(house, ann):
    """MF-6: several keys; removing the last makes the password enough again."""
    first = await ann.register("desk")
    assert len(first.recovery_codes) == 10
    ann.authenticator = Authenticator(ORIGIN)
    second = await ann.register("phone")
    assert second.recovery_codes == ()
    renamed = await ann.passkeys.rename(ann.ids[0], first.passkey.passkey_id, "safe")
    assert renamed.name == "safe"
    house.clock.advance(timedelta(minutes=6))
    with pytest.raises(StepUpRequiredError):
        await ann.passkeys.remove(*ann.ids, first.passkey.passkey_id)
    fresh = (await ann.sign_in()).session_id
    for added in (first, second):
        await ann.passkeys.remove(ann.ids[0], fresh, added.passkey.passkey_id)
    with pytest.raises(SecondFactorMissingError):
        await ann.passkeys.remove(ann.ids[0], fresh, first.passkey.passkey_id)
    assert isinstance(await house.login(password=PASSWORD), SignedIn)


@pytest.fixture
def enforced(house, settings):
    """Auth where every member must have a second factor."""
    house.set_up_anew(settings.model_copy(update={"second_factor_roles": ("*",)}))


async def _waiting(house):
    """Begin a sign-in that enrols; return its token and an authenticator."""
    pending = await house.login()
    assert pending.is_enrolment
    return pending.pending_token, Authenticator(ORIGIN)


async def test_mf_3_a_passkey_is_enrolled_while_signing_in(house, enforced):
    """MF-3: it finishes the sign-in, brings the spare codes and is asked next time."""
    await house.join()
    token, authenticator = await _waiting(house)
    enrolment = house.state["enrolment_sign_in"]
    options = await enrolment.offer_passkey(token, is_web_client=False)
    credential = authenticator.create(options)
    done = await enrolment.add_passkey(token, "key", credential, is_web_client=False)
    assert len(done.recovery_codes) == 10
    stored = await house.adapters.stores.sessions.get(done.signed_in.session_id, None)
    assert stored.methods == (AuthMethod.PASSWORD, AuthMethod.PASSKEY)
    renewed = await house.state["renewal"].refresh(done.signed_in.refresh_token)
    assert renewed.session_id == done.signed_in.session_id
    assert (await house.login()).factors == (Factor.PASSKEY, Factor.RECOVERY_CODE)
    with pytest.raises(PendingSignInInvalidError):
        await enrolment.offer_passkey(token, is_web_client=False)


async def test_mf_3_a_passkey_made_for_another_sign_in_enrols_nothing(house, enforced):
    """MF-3: a challenge belongs to the sign-in that asked for it."""
    await house.join()
    (mine, authenticator), (theirs, _) = [await _waiting(house) for _ in range(2)]
    enrolment = house.state["enrolment_sign_in"]
    options = await enrolment.offer_passkey(theirs, is_web_client=False)
    credential = authenticator.create(options)
    with pytest.raises(PasskeyInvalidError):
        await enrolment.add_passkey(mine, "key", credential, is_web_client=False)


async def test_mf_3_a_password_adds_no_passkey_to_who_has_a_factor(
    house, keyed, settings
):
    """MF-3: nor does a set-up that another one was faster than."""
    pending = await house.login()
    enrolment = house.state["enrolment_sign_in"]
    with pytest.raises(PendingSignInInvalidError):
        await enrolment.offer_passkey(pending.pending_token, is_web_client=False)
    house.set_up_anew(settings.model_copy(update={"second_factor_roles": ("*",)}))
    await house.join("bob@example.test", name="Bob")
    mine, theirs = [
        (await house.login("bob@example.test")).pending_token for _ in range(2)
    ]
    enrolment = house.state["enrolment_sign_in"]
    offers = [
        await enrolment.offer_passkey(token, is_web_client=False)
        for token in (mine, theirs)
    ]
    first, second = [Authenticator(ORIGIN).create(options) for options in offers]
    await enrolment.add_passkey(mine, "key", first, is_web_client=False)
    with pytest.raises(PendingSignInInvalidError):
        await enrolment.add_passkey(theirs, "key", second, is_web_client=False)


async def test_mf_2_five_useless_passkeys_spend_the_sign_in(house, enforced):
    """MF-2: a sign-in that waits takes five tries, whatever is tried."""
    await house.join()
    token, authenticator = await _waiting(house)
    enrolment = house.state["enrolment_sign_in"]
    authenticator.origin = "https://evil.example.test"
    options = await enrolment.offer_passkey(token, is_web_client=False)
    credential = authenticator.create(options)
    for expected in (*[PasskeyInvalidError] * 5, PendingSignInInvalidError):
        with pytest.raises(expected):
            await enrolment.add_passkey(token, "k", credential, is_web_client=False)


@pytest.mark.parametrize(
    ("is_discoverable", "verifies_user", "opens_alone"),
    [(True, True, True), (False, True, False), (True, False, False)],
)
async def test_a_key_is_known_to_open_alone(
    ann, is_discoverable, verifies_user, opens_alone
):
    """It has to know whom it is of, and to check its holder."""
    ann.authenticator.is_discoverable = is_discoverable
    ann.authenticator.verifies_user = verifies_user
    assert (await ann.register()).passkey.opens_alone is opens_alone


async def test_a_key_that_signed_in_alone_is_known_to(house, ann):
    """Whatever its browser said of it."""
    ann.authenticator.is_discoverable = False
    await ann.register()
    await ann.sign_in()
    own = await house.adapters.stores.second_factors.get(ann.ids[0], None)
    assert own.opens_alone


async def test_mf_6_a_registration_needs_a_fresh_proof(house, ann):
    """MF-6: both steps of it."""
    house.clock.advance(timedelta(minutes=6))
    with pytest.raises(StepUpRequiredError):
        await ann.passkeys.offer(*ann.ids)
    with pytest.raises(StepUpRequiredError):
        await ann.passkeys.add(*ann.ids, "key", {})
