"""Signing in, linking and signing out with providers, over memory (OI-1, OI-2)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from libs.chassis.audit import AuditResult
from services.auth.domain import (
    ClientDevice,
    FlowPurpose,
    Guess,
    GuessPurpose,
    ProofHolder,
    RegistrationMode,
    RegistrationRules,
    SecondFactors,
    UserStatus,
    challenge_of,
    hash_secret,
)
from services.auth.domain.errors import (
    AttemptsThrottledError,
    IdentityMissingError,
    IdentityNotLinkedError,
    IdentityTakenError,
    IdentityUnverifiedError,
    LastWayInError,
    LogoutTokenInvalidError,
    ProviderMissingError,
    ProviderSignInInvalidError,
    StepUpRequiredError,
)
from services.auth.ports import ProviderTokens
from services.auth.service import Answer, ProviderAccounts, SecondFactorRequired
from tests.unit.auth.conftest import EMAIL

DEVICE = ClientDevice("phone", "10.0.0.1", has_cookie=False)
SIGN_IN, LINK = FlowPurpose.SIGN_IN, FlowPurpose.LINK


class Browser:
    """A browser that goes to a provider and comes back."""

    def __init__(self, house):
        self._house = house
        self.journey = house.state["provider_journey"]
        self.binding = ""
        self.state = ""
        self.networks = 0

    async def start(self, provider="acme", purpose=SIGN_IN, destination=None):
        """Leave for a provider; return its page."""
        destination = destination or self.journey.redirects.browser("/")
        departure = await self.journey.start(provider, destination, purpose)
        self.binding = departure.binding
        return departure.address

    async def finish(self, address, provider="acme", **changes):
        """Let the provider approve, and come back."""
        code, self.state = self._house.stubs[provider].approve(address)
        answer = {"state": self.state, "binding": self.binding, "code": code}
        return await self.journey.finish(provider, Answer(**(answer | changes)))

    async def code(self, provider="acme", purpose=SIGN_IN, **lie):
        """Go there and back; return the one-time code."""
        self._house.stubs[provider].lie = lie
        address = await self.start(provider, purpose)
        arrival = await self.finish(address, provider)
        assert not arrival.error, arrival.error
        return arrival.code

    async def redeem(self, code, purpose, holder):
        """Redeem a code as who is given, each time from another network."""
        self.networks += 1
        guess = Guess.of_bearer(GuessPurpose.PROVIDER_LINK, f"10.1.{self.networks}.1")
        return await self.journey.redeem(code, purpose, holder, guess)

    async def sign_in(self, provider="acme", **lie):
        """Sign in with what a provider says."""
        code = await self.code(provider, **lie)
        return await self._house.state["provider_sign_in"].sign_in(
            code, self.holder, DEVICE
        )

    async def link(self, who, provider="acme", **lie):
        """Link what a provider says to a session's account."""
        code = await self.code(provider, LINK, **lie)
        ids, links = (who.user_id, who.session_id), self._house.state["provider_links"]
        return await links.link(*ids, code, self.holder, "10.0.0.1")

    async def unlink(self, who, provider="acme"):
        """Unlink a session's account from a provider."""
        links = self._house.state["provider_links"]
        await links.unlink(who.user_id, who.session_id, provider, "10.0.0.1")

    @property
    def holder(self):
        """What shows that a code is this browser's."""
        return ProofHolder(binding=self.binding)


@pytest.fixture
def browser(house):
    """A browser without cookies yet."""
    return Browser(house)


def _audited(house, action):
    return house.adapters.stores.audit.of(action)


# ---- accounts


async def test_identity_without_account_opens_one_and_comes_back_to_it(house, browser):
    """A verified address of an allowed domain; the second time it is the same user."""
    first = await browser.sign_in(sub="s1", name="Ann Acme", locale="de")
    user = await house.adapters.stores.users.get(first.user_id, None)
    assert (user.status, user.display_name) == (UserStatus.ACTIVE, "Ann Acme")
    assert (user.email.key, user.locale) == ("ann@acme.test", "de")
    again = await browser.sign_in(sub="s1", email="new@acme.test", name="Other")
    assert again.user_id == first.user_id
    assert [e.details for e in _audited(house, "identity.linked")] == [
        {"provider": "acme"}
    ]
    session = await house.adapters.stores.sessions.get(first.session_id, None)
    assert session.provider_id == "acme"
    assert session.methods == ("oidc",)


@pytest.mark.parametrize("name", ["", None, "\u202e", "x" * 65, ["Ann"], "\n"])
async def test_name_that_we_would_not_take_is_not_taken(house, browser, name):
    """The address's beginning stands in for it; the language for a wrong one."""
    signed_in = await browser.sign_in(name=name, locale="xx_YY!")
    user = await house.adapters.stores.users.get(signed_in.user_id, None)
    assert (user.display_name, user.locale) == ("ann", "en")


REFUSED = {
    "unverified": {"email_verified": False},
    "says nothing of it": {"email_verified": None},
    "verified in other words": {"email_verified": "yes"},
    "other domain": {"email": "ann@other.test"},
    "domain as prefix": {"email": "ann@acme.test.evil.test"},
    "domain as suffix": {"email": "ann@evilacme.test"},
    "no address": {"email": None},
    "no good address": {"email": "ann"},
    "two addresses": {"email": ["ann@acme.test"]},
}


@pytest.mark.parametrize("name", REFUSED)
async def test_oi_2_rules_of_registration_hold(house, browser, name):
    """OI-2, EN-1: no account, and the same answer as where the address is taken."""
    with pytest.raises(IdentityNotLinkedError) as caught:
        await browser.sign_in(**REFUSED[name])
    await house.join("taken@acme.test")
    with pytest.raises(IdentityNotLinkedError) as taken:
        await browser.sign_in(email="taken@acme.test")
    assert str(caught.value) == str(taken.value)
    assert caught.value.details == taken.value.details == {}
    refused = _audited(house, "session.refused")
    assert {e.result for e in refused} == {AuditResult.FAILURE}


@pytest.mark.parametrize(
    "rules",
    [
        RegistrationRules(RegistrationMode.CLOSED),
        RegistrationRules(RegistrationMode.INVITE_ONLY),
        RegistrationRules(domains=frozenset({"other.test"})),
    ],
)
async def test_rules_of_the_house_hold_for_providers_too(house, browser, rules):
    """Whom the house does not let register, no provider does; the same answer."""
    sign_in = house.state["provider_sign_in"]
    strict = replace(sign_in, accounts=replace(sign_in.accounts, rules=rules))
    code = await browser.code()
    with pytest.raises(IdentityNotLinkedError):
        await strict.sign_in(code, browser.holder, DEVICE)
    known = await browser.sign_in()
    code = await browser.code()
    again = await strict.sign_in(code, browser.holder, DEVICE)
    assert again.user_id == known.user_id


async def test_closed_provider_opens_no_account(house, browser):
    """A provider without registration lets in who is linked, nobody else."""
    with pytest.raises(IdentityNotLinkedError):
        await browser.sign_in("closed")
    await house.join()
    who = await house.login()
    await browser.link(who, "closed")
    assert (await browser.sign_in("closed")).user_id == who.user_id


async def test_oi_2_same_address_at_a_second_provider_is_another_person(house, browser):
    """OI-2: same address and same subject, other issuer: refused."""
    await browser.sign_in("acme", sub="s1", email="ann@acme.test")
    with pytest.raises(IdentityNotLinkedError):
        await browser.sign_in("beta", sub="s1", email="ann@acme.test")


@pytest.mark.parametrize("subject", ["S1", "s", "s1 ", "s11", "s1\n"])
async def test_oi_2_subject_is_compared_whole(house, browser, subject):
    """OI-2: no part, no other case of a subject is the same person."""
    await browser.sign_in("acme", sub="s1", email="ann@acme.test")
    with pytest.raises(IdentityNotLinkedError):
        await browser.sign_in("acme", sub=subject, email="ann@acme.test")


async def test_suspended_user_does_not_come_in_by_a_provider(house, browser):
    """The same answer as for nobody."""
    signed_in = await browser.sign_in()
    users = house.adapters.stores.users
    user = await users.get(signed_in.user_id, None)
    changed = user.changed(house.clock.now(), status=UserStatus.SUSPENDED)
    await users.update(changed, None)
    with pytest.raises(IdentityNotLinkedError):
        await browser.sign_in()


async def test_mf_3_provider_is_one_factor(house, browser):
    """MF-3: who has a second factor is asked for it, whatever the provider asked."""
    signed_in = await browser.sign_in()
    factors = SecondFactors(signed_in.user_id).with_candidate(
        "A" * 32, house.clock.now()
    )
    store = house.adapters.stores.second_factors
    await store.save(factors, None)
    await store.save(factors.with_totp(1, []), None)
    entered = await browser.sign_in(amr=["mfa", "otp"], sid="s")
    assert isinstance(entered, SecondFactorRequired)
    pending = house.adapters.stores.pending_sign_ins
    waiting = await pending.get(hash_secret(entered.pending_token))
    assert waiting.device.provider_id == "acme"
    assert waiting.device.provider_session_hash


# ---- the way there and back


async def test_oi_1_page_of_the_provider_gets_all_that_binds(browser):
    """OI-1: code flow with S256, state, nonce, and the exact redirect_uri."""
    address = await browser.start()
    for part in (
        "response_type=code",
        "code_challenge_method=S256",
        "redirect_uri=https://chat.example.test/api/v1/auth/oidc/acme/callback",
        "client_id=parley",
        "scope=openid email profile",
    ):
        assert part in address
    assert browser.binding not in address
    with pytest.raises(ProviderMissingError):
        await browser.start("nobody")


async def _refused_at_return(browser, **changes):
    address = await browser.start()
    with pytest.raises(ProviderSignInInvalidError):
        await browser.finish(address, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"state": ""},
        {"state": "x"},
        {"state": "\ud800"},
        {"binding": ""},
        {"binding": "other"},
    ],
)
async def test_oi_1_answer_needs_our_state_and_the_same_browser(browser, changes):
    """OI-1: missing, invented or foreign state; another browser's cookie."""
    await _refused_at_return(browser, **changes)


async def test_oi_1_state_is_good_once_and_for_ten_minutes(house, browser):
    """OI-1: also after an answer that failed."""
    address = await browser.start()
    await browser.finish(address, code="", error="access_denied")
    with pytest.raises(ProviderSignInInvalidError):
        await browser.finish(address)
    address = await browser.start()
    house.clock.advance(timedelta(minutes=10))
    with pytest.raises(ProviderSignInInvalidError):
        await browser.finish(address)


async def test_oi_1_other_browsers_state_is_refused(house):
    """OI-1: an attacker's answer does not fit the victim's browser."""
    attacker, victim = Browser(house), Browser(house)
    address = await attacker.start()
    await victim.start()
    with pytest.raises(ProviderSignInInvalidError):
        await attacker.finish(address, binding=victim.binding)


async def test_oi_1_state_of_one_provider_is_none_of_another(house, browser):
    """OI-1: mix-up; each provider has a redirect_uri of its own."""
    address = await browser.start("acme")
    code, state = house.stubs["acme"].approve(address)
    answer = Answer(state=state, binding=browser.binding, code=code)
    with pytest.raises(ProviderSignInInvalidError):
        await browser.journey.finish("beta", answer)


@pytest.mark.parametrize("issuer", ["https://idp.beta.test", ""])
async def test_oi_1_answer_in_another_providers_name_is_refused(browser, issuer):
    """OI-1: mix-up; parameter iss (RFC 9207) is compared, sent or promised."""
    arrival = await browser.finish(await browser.start(), issuer=issuer)
    assert (arrival.code, arrival.error) == ("", "provider_token_invalid")


async def test_oi_1_promised_issuer_has_to_be_there(house, browser):
    """OI-1: a provider that names itself always does."""
    house.stubs["acme"].is_sending_issuer = True
    arrival = await browser.finish(await browser.start())
    assert arrival.error == "provider_token_invalid"
    arrival = await browser.finish(
        await browser.start(), issuer="https://idp.acme.test"
    )
    assert arrival.code


async def test_oi_1_code_of_another_flow_is_refused(house, browser):
    """OI-1: a stolen code does not fit the thief's own verifier; nor twice."""
    stolen, _ = house.stubs["acme"].approve(await Browser(house).start())
    arrival = await browser.finish(await browser.start(), code=stolen)
    assert arrival.error == "provider_refused"
    arrival = await browser.finish(await browser.start(), code=stolen)
    assert arrival.error == "provider_refused"


async def test_oi_1_id_token_of_another_flow_is_refused(house, browser):
    """OI-1: the nonce belongs to this browser's flow."""
    signer = house.stubs["acme"].signer
    house.stubs["acme"].tokens["c"] = ProviderTokens(signer.id_token("other"), "")
    arrival = await browser.finish(await browser.start(), code="c")
    assert arrival.error == "provider_token_invalid"


async def test_oi_1_userinfo_of_somebody_else_is_refused(house, browser):
    """OI-1: sub swap; what is asked for with the token has to be of the same person."""
    stub = house.stubs["acme"]
    stub.said = {"sub": "somebody-else", "email": "a@acme.test", "email_verified": True}
    stub.lie = {"email": None, "email_verified": None}
    arrival = await browser.finish(await browser.start())
    assert arrival.error == "provider_token_invalid"
    stub.said["sub"] = "subject-1"
    arrival = await browser.finish(await browser.start())
    assert arrival.code


async def test_one_time_code_is_the_browsers_alone_once_for_a_minute(house, browser):
    """PW-8, OI-1: not twice, not late, not elsewhere, not for another purpose."""
    redeem = browser.redeem
    code = await browser.code()
    await redeem(code, SIGN_IN, browser.holder)
    with pytest.raises(ProviderSignInInvalidError):
        await redeem(code, SIGN_IN, browser.holder)
    for purpose, holder in (
        (SIGN_IN, ProofHolder()),
        (SIGN_IN, ProofHolder(binding="other")),
        (SIGN_IN, ProofHolder(verifier="v" * 43)),
        (LINK, None),
    ):
        code = await browser.code()
        with pytest.raises(ProviderSignInInvalidError):
            await redeem(code, purpose, holder or browser.holder)
    code = await browser.code()
    house.clock.advance(timedelta(seconds=60))
    with pytest.raises(ProviderSignInInvalidError):
        await redeem(code, SIGN_IN, browser.holder)


async def test_native_client_redeems_with_its_verifier_alone(house, browser):
    """RFC 8252: the code in the address is worth nothing without the verifier."""
    verifier = "v" * 43
    redirects = browser.journey.redirects
    target = redirects.client(
        "http://127.0.0.1:4711/done", challenge_of(verifier), "mine"
    )
    for holder, is_good in (
        (ProofHolder(binding="x"), False),
        (ProofHolder(verifier="w" * 43), False),
        (ProofHolder(verifier=verifier), True),
    ):
        arrival = await browser.finish(await browser.start(destination=target))
        address = f"http://127.0.0.1:4711/done?code={arrival.code}&state=mine"
        assert arrival.address == address
        if is_good:
            assert await browser.redeem(arrival.code, SIGN_IN, holder)
        else:
            with pytest.raises(ProviderSignInInvalidError):
                await browser.redeem(arrival.code, SIGN_IN, holder)


async def test_code_is_in_the_fragment_for_browsers(browser):
    """No server and no log sees it; the error goes the same way."""
    arrival = await browser.finish(await browser.start())
    assert arrival.address == f"https://chat.example.test/#oidc_code={arrival.code}"
    arrival = await browser.finish(await browser.start(purpose=LINK), code="x")
    assert arrival.address.endswith("/#oidc_link_error=provider_refused")


# ---- links


async def test_linked_identity_signs_in_and_unlinked_does_not(house, browser):
    """OI-2: linking needs a fresh proof and a verified address; both are audited."""
    await house.join()
    who = await house.login()
    assert await browser.link(who, email="other@x.test") == "acme"
    assert (await browser.sign_in(email="third@x.test")).user_id == who.user_id
    links = house.state["provider_links"]
    assert set(await links.list_own(who.user_id)) == {"acme"}
    await browser.unlink(who)
    with pytest.raises(IdentityNotLinkedError):
        await browser.sign_in(email="other@x.test")
    for action in ("identity.linked", "identity.unlinked"):
        (entry,) = _audited(house, action)
        assert (entry.actor_id, entry.details) == (who.user_id, {"provider": "acme"})


async def test_sr_1_unlinking_ends_what_came_by_the_identity(
    house, browser, monkeypatch
):
    """SR-1: who linked an identity of their own is out; no session begins beside it."""
    await house.join()
    who, pinned = await house.login(), house.pins(monkeypatch)
    await browser.link(who)
    assert pinned == [who.user_id]
    theirs = await browser.sign_in()
    other = await house.login()
    pinned.clear()
    await browser.unlink(who)
    assert pinned == [who.user_id]
    ended = [session.session_id for session in house.announcer.announced]
    assert ended == [theirs.session_id]
    listed = await house.state["session_control"].list_own(
        who.user_id, after=None, limit=9
    )
    live = {session.session_id for session in listed.items}
    assert live == {who.session_id, other.session_id}


async def test_oi_2_a_sign_in_under_way_does_not_outlast_the_link(house, browser):
    """OI-2: the identity is linked when its session begins."""
    await house.join()
    who = await house.login()
    await browser.link(who)

    class Unlinked(ProviderAccounts):
        async def user_of(self, identity, source):
            user = await super().user_of(identity, source)
            await browser.unlink(who)
            return user

    sign_in = house.state["provider_sign_in"]
    accounts = Unlinked(**vars(sign_in.accounts))
    house.state["provider_sign_in"] = replace(sign_in, accounts=accounts)
    with pytest.raises(IdentityNotLinkedError):
        await browser.sign_in()


async def test_mf_6_linking_and_unlinking_need_a_fresh_proof(house, browser):
    """MF-6, OI-2: an old session, and one that is over, link nothing."""
    await house.join()
    who = await house.login()
    house.clock.advance(timedelta(minutes=6))
    for act in (browser.link, browser.unlink):
        with pytest.raises(StepUpRequiredError):
            await act(who)
    fresh = await house.login()
    await browser.link(fresh)
    with pytest.raises(StepUpRequiredError):
        await browser.unlink(who)


async def test_mf_6_stale_proof_does_not_spend_the_code(house, browser):
    """MF-6: who is asked for a fresh proof can go on with the same code."""
    await house.join()
    stale = await house.login()
    house.clock.advance(timedelta(minutes=6))
    code = await browser.code(purpose=LINK)
    link = house.state["provider_links"].link
    with pytest.raises(StepUpRequiredError):
        await link(stale.user_id, stale.session_id, code, browser.holder, "")
    fresh = await house.login()
    await link(fresh.user_id, fresh.session_id, code, browser.holder, "")


async def test_lt_5_codes_are_counted(house, browser):
    """LT-5: five wrong codes from one network, then a wait; a right one counts not."""
    sign_in = house.state["provider_sign_in"].sign_in
    for _ in range(7):
        await browser.sign_in()
    for _ in range(5):
        with pytest.raises(ProviderSignInInvalidError):
            await sign_in("wrong", browser.holder, DEVICE)
    code = await browser.code()
    with pytest.raises(AttemptsThrottledError):
        await sign_in(code, browser.holder, DEVICE)


async def test_oi_2_unverified_address_links_nothing(house, browser):
    """OI-2: the provider has to have checked it."""
    await house.join()
    who = await house.login()
    with pytest.raises(IdentityUnverifiedError):
        await browser.link(who, email_verified=False)


async def test_identity_has_one_account_and_account_one_of_a_provider(house, browser):
    """Nobody takes over what is linked."""
    await house.join()
    await house.join("bob@example.test")
    ann, bob = await house.login(), await house.login("bob@example.test")
    await browser.link(ann, sub="s1")
    with pytest.raises(IdentityTakenError):
        await browser.link(bob, sub="s1")
    with pytest.raises(IdentityTakenError):
        await browser.link(ann, sub="s2")
    await browser.link(ann, "beta", sub="s1")


async def test_last_way_in_stays(house, browser):
    """Who has neither password nor another identity keeps this one."""
    who = await browser.sign_in()
    with pytest.raises(IdentityMissingError):
        await browser.unlink(who, "beta")
    with pytest.raises(LastWayInError):
        await browser.unlink(who)
    await browser.link(who, "beta")
    await browser.unlink(who)


# ---- back-channel logout


async def _is_live(house, signed_in):
    session = await house.adapters.stores.sessions.get(signed_in.session_id, None)
    return session.revoked_at is None


async def test_logout_token_ends_the_session_of_its_sid(house, browser):
    """Back-Channel Logout: that one, told at once, and nothing else."""
    first = await browser.sign_in(sid="one")
    second = await browser.sign_in(sid="two")
    end = house.state["provider_logout"].end
    await end("acme", house.stubs["acme"].signer.logout_token(sid="one"))
    assert not await _is_live(house, first)
    assert await _is_live(house, second)
    assert [s.session_id for s in house.announcer.announced] == [first.session_id]


async def test_logout_token_of_a_person_ends_what_came_by_this_provider(house, browser):
    """Back-Channel Logout: sessions of the password stay."""
    await house.join()
    own = await house.login()
    await browser.link(own)
    by_provider = [await browser.sign_in(sid=sid) for sid in ("one", "two")]
    end = house.state["provider_logout"].end
    signer = house.stubs["acme"].signer
    await end("acme", signer.logout_token(sub="somebody-else"))
    await end("acme", signer.logout_token(sub="somebody-else", sid="one"))
    assert await _is_live(house, by_provider[0])
    await end("acme", signer.logout_token(sub="subject-1"))
    assert [await _is_live(house, one) for one in by_provider] == [False, False]
    assert await _is_live(house, own)


async def test_logout_token_works_once_and_for_its_provider(house, browser):
    """Back-Channel Logout: a replay, and another provider's sid, end nothing."""
    end = house.state["provider_logout"].end
    signer = house.stubs["acme"].signer
    token = signer.logout_token(sid="one")
    await end("acme", token)
    signed_in = await browser.sign_in(sid="one")
    with pytest.raises(LogoutTokenInvalidError):
        await end("acme", token)
    beta = house.stubs["beta"].signer
    await end("beta", beta.logout_token(sid="one"))
    with pytest.raises(LogoutTokenInvalidError):
        await end("acme", beta.logout_token(sid="one"))
    with pytest.raises(ProviderMissingError):
        await end("nobody", token)
    assert await _is_live(house, signed_in)


async def test_password_of_another_account_is_no_way_around(house, browser):
    """OI-2: an address that is taken leads nowhere, whoever asserts it."""
    await house.join(EMAIL)
    with pytest.raises(IdentityNotLinkedError):
        await browser.sign_in("beta", email=EMAIL)
