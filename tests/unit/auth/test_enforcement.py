"""MF-3: where a second factor is required no way in leads around it."""

import pytest

from services.auth.domain import (
    CeremonyPurpose,
    ClientDevice,
    FlowPurpose,
    Guess,
    GuessPurpose,
    ProofHolder,
    SecondFactors,
    hash_secret,
)
from services.auth.domain.errors import (
    PersonalTokenInvalidError,
    SecondFactorInvalidError,
    SecondFactorRequiredError,
)
from services.auth.service import Answer, SecondFactorRequired
from services.auth.service.personal_tokens import TokenWish
from tests.support.authenticator import Authenticator
from tests.unit.auth.conftest import ADDRESS, EMAIL, PASSWORD

DEVICE = ClientDevice("phone", ADDRESS, has_cookie=False)
ORIGIN = "https://chat.example.test"
NEW = "quite another sentence"
WHY = "the insurance asks for it"


@pytest.fixture
async def admin(house):
    """An admin who has a second factor and may bind everyone."""
    admin = await house.person("admin")
    await _enrol(house, admin.user_id)
    return admin


@pytest.fixture
async def ann(house):
    """A member without a second factor, who is signed in."""
    await house.join()
    return await house.login()


async def _enrol(house, user_id):
    factors = SecondFactors(user_id).with_candidate("A" * 32, house.clock.now())
    store = house.adapters.stores.second_factors
    await store.save(factors, None)
    await store.save(factors.with_totp(1, ["a", "b"]), None)


async def _enforce(house, admin):
    await house.state["second_factor_rule"].put(admin, ["*"], WHY)


def _is_held(entered):
    """Tell whether what came of a sign-in is no session."""
    return isinstance(entered, SecondFactorRequired) and entered.is_enrolment


async def _identity_code(house, purpose=FlowPurpose.SIGN_IN, **lie):
    """Go to a provider and back; return the one-time code and who may show it."""
    journey, stub = house.state["provider_journey"], house.stubs["acme"]
    stub.lie = lie
    departure = await journey.start("acme", journey.redirects.browser("/"), purpose)
    code, state = stub.approve(departure.address)
    answer = Answer(state=state, binding=departure.binding, code=code)
    arrival = await journey.finish("acme", answer)
    return arrival.code, ProofHolder(binding=departure.binding)


async def test_mf_3_password(house, admin, ann):
    """MF-3: the password of before opens an enrolment, no session."""
    await _enforce(house, admin)
    assert _is_held(await house.login())


async def test_mf_3_reset_link(house, admin, ann):
    """MF-3: a reset signs nobody in, and its password is one factor."""
    await _enforce(house, admin)
    passwords = house.state["password_change"]
    await passwords.request_reset(email=EMAIL)
    await house.bus.settled()
    done = await passwords.reset(
        token=house.token(), password=NEW, client_address=ADDRESS
    )
    assert done is None
    assert _is_held(await house.login(password=NEW))


async def test_mf_3_voided_password(house, admin, ann):
    """MF-3: nor does the link of a password that an administrator voided."""
    await _enforce(house, admin)
    await house.state["password_void"].order(admin, ann.user_id, WHY)
    await house.bus.settled()
    await house.state["password_change"].reset(
        token=house.token(), password=NEW, client_address=ADDRESS
    )
    assert _is_held(await house.login(password=NEW))


async def test_mf_3_linked_identity(house, admin, ann):
    """MF-3: a provider's word is one factor, whatever the provider asked for."""
    code, holder = await _identity_code(house, FlowPurpose.LINK, sub="s1")
    await house.state["provider_links"].link(
        ann.user_id, ann.session_id, code, holder, ADDRESS
    )
    await _enforce(house, admin)
    code, holder = await _identity_code(house, sub="s1", amr=["mfa", "hwk"], acr="3")
    entered = await house.state["provider_sign_in"].sign_in(code, holder, DEVICE)
    assert _is_held(entered)


async def test_mf_3_new_identity(house, admin):
    """MF-3: an account that a provider opens begins with an enrolment."""
    await _enforce(house, admin)
    code, holder = await _identity_code(house, sub="new")
    entered = await house.state["provider_sign_in"].sign_in(code, holder, DEVICE)
    assert _is_held(entered)


async def test_mf_3_a_link_flow_opens_no_session(house, admin, ann):
    """MF-3: what was proved in order to link signs nobody in."""
    await _enforce(house, admin)
    code, holder = await _identity_code(house, FlowPurpose.LINK)
    guess = Guess.of_bearer(GuessPurpose.PROVIDER_LINK, ADDRESS)
    identity = await house.state["provider_journey"].redeem(
        code, FlowPurpose.LINK, holder, guess
    )
    assert identity.subject
    assert await _live(house, ann.user_id) == [ann.session_id]


async def _live(house, user_id):
    page = await house.state["session_control"].list_own(user_id, after=None, limit=9)
    return [session.session_id for session in page.items]


async def test_mf_3_refresh(house, admin, ann):
    """MF-3: a session from before is told to sign in again; it does not grow."""
    await _enforce(house, admin)
    with pytest.raises(SecondFactorRequiredError):
        await house.state["renewal"].refresh(ann.refresh_token)


async def test_mf_3_step_up(house, admin, ann):
    """MF-3: a password that steps up renews the proof, not what it is worth."""
    await _enforce(house, admin)
    renewed = await house.state["reauthentication"].prove_password(
        ann.user_id, ann.session_id, PASSWORD, client_address=ADDRESS
    )
    with pytest.raises(SecondFactorRequiredError):
        await house.state["renewal"].refresh(renewed.refresh_token)


async def test_mf_3_personal_token(house, admin, ann):
    """MF-3: it rests until its user has enrolled; so does a socket's token of it."""
    wish = TokenWish("bot", ("conversations:read", "conversations:write"), 30)
    tokens = house.state["personal_tokens"]
    made = await tokens.create(ann.user_id, ann.session_id, wish)
    await _enforce(house, admin)
    with pytest.raises(PersonalTokenInvalidError):
        await tokens.resolve(hash_secret(made.text))
    with pytest.raises(PersonalTokenInvalidError):
        await tokens.exchange(made.text)
    await _enrol(house, ann.user_id)
    assert (await tokens.resolve(hash_secret(made.text)))[0].user_id == ann.user_id


async def test_mf_3_invitation(house, admin):
    """MF-3: an invited person's first sign-in is an enrolment."""
    invitations = house.state["invitations"]
    await invitations.invite(
        admin.user_id, ("admin",), email="bob@example.test", role="member", locale="en"
    )
    await house.bus.settled()
    await _enforce(house, admin)
    await invitations.accept(
        token=house.token(),
        password=PASSWORD,
        display_name="Bob",
        locale="en",
        client_address=ADDRESS,
    )
    assert _is_held(await house.login("bob@example.test"))


async def test_mf_3_verification(house, admin):
    """MF-3: so is that of somebody who registered themselves."""
    await _enforce(house, admin)
    await house.join("eve@example.test", name="Eve")
    assert _is_held(await house.login("eve@example.test"))


async def test_mf_3_passkey(house, admin, ann):
    """MF-3: alone only one that checked its holder, which makes it two factors."""
    passkeys = house.state["passkeys"]
    authenticator = Authenticator(ORIGIN)
    options = await passkeys.offer(ann.user_id, ann.session_id)
    created = authenticator.create(options)
    await passkeys.add(ann.user_id, ann.session_id, "key", created)
    await _enforce(house, admin)
    options = await passkeys.begin(CeremonyPurpose.SIGN_IN, "")
    signed_in = await passkeys.sign_in(authenticator.get(options), DEVICE)
    renewed = await house.state["renewal"].refresh(signed_in.refresh_token)
    assert renewed.session_id == signed_in.session_id
    authenticator.verifies_user = False
    options = await passkeys.begin(CeremonyPurpose.SIGN_IN, "")
    with pytest.raises(SecondFactorInvalidError):
        await passkeys.sign_in(authenticator.get(options), DEVICE)
