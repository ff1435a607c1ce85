"""Who signs in with a provider proves themselves again there (MF-6)."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from services.auth.domain import (
    AuthMethod,
    FlowPurpose,
    SecondFactors,
)
from services.auth.domain.errors import (
    IdentityNotLinkedError,
    ProviderSignInInvalidError,
    SecondFactorNeededError,
    StepUpRequiredError,
)
from tests.unit.auth.conftest import ADDRESS, AUTH
from tests.unit.auth.test_providers import Browser

STEP_UP = FlowPurpose.STEP_UP


@pytest.fixture
def browser(house):
    """A browser without cookies yet."""
    return Browser(house)


@pytest.fixture
async def ann(house, browser):
    """A session by a provider whose proof is ten minutes old."""
    signed_in = await browser.sign_in()
    house.clock.advance(timedelta(minutes=10))
    return signed_in


def _now(house):
    return int(house.clock.now().timestamp())


async def _prove(house, browser, who, code):
    return await house.state["provider_step_up"].prove(
        who.user_id, who.session_id, code, browser.holder, client_address=ADDRESS
    )


async def test_mf_6_a_provider_is_told_to_ask_anew(house, browser):
    """MF-6: its session alone is no proof; a sign-in does not bother people so."""
    asked = parse_qs(urlsplit(await browser.start(purpose=STEP_UP)).query)
    assert (asked["prompt"], asked["max_age"]) == (["login"], ["0"])
    plain = parse_qs(urlsplit(await browser.start()).query)
    assert not {"prompt", "max_age"} & set(plain)


async def test_mf_6_a_providers_fresh_word_renews_the_session(house, browser, ann):
    """MF-6: under a new id, with a proof of now."""
    with pytest.raises(StepUpRequiredError):
        await house.state["step_up"].require(ann.user_id, ann.session_id)
    code = await browser.code(purpose=STEP_UP, auth_time=_now(house))
    renewed = await _prove(house, browser, ann, code)
    assert renewed.session_id != ann.session_id
    session = await house.state["step_up"].require(ann.user_id, renewed.session_id)
    assert session.methods == (AuthMethod.PROVIDER,)


@pytest.mark.parametrize("age", [301, -31, None, True, "now"], ids=repr)
async def test_mf_6_an_old_word_is_none(house, browser, ann, age):
    """MF-6: a provider that did not ask anew, or does not say so."""
    is_age = isinstance(age, int) and not isinstance(age, bool)
    house.stubs["acme"].lie = {"auth_time": _now(house) - age if is_age else age}
    arrival = await browser.finish(await browser.start(purpose=STEP_UP))
    assert arrival.address.endswith("#oidc_step_up_error=provider_token_invalid")


async def test_mf_6_another_identity_proves_nothing(house, browser, ann):
    """MF-6: nor does one of a flow that was begun to sign in."""
    code = await browser.code(
        purpose=STEP_UP, sub="somebody-else", auth_time=_now(house)
    )
    with pytest.raises(IdentityNotLinkedError):
        await _prove(house, browser, ann, code)
    code = await browser.code(auth_time=_now(house))
    with pytest.raises(ProviderSignInInvalidError):
        await _prove(house, browser, ann, code)


async def test_mf_6_who_has_a_second_factor_shows_that(house, browser, ann):
    """MF-6: a provider's word is a first factor, as a password is."""
    store = house.adapters.stores.second_factors
    factors = SecondFactors(ann.user_id).with_candidate("A" * 32, house.clock.now())
    await store.save(factors, None)
    await store.save(factors.with_totp(1, ["a"]), None)
    code = await browser.code(purpose=STEP_UP, auth_time=_now(house))
    with pytest.raises(SecondFactorNeededError):
        await _prove(house, browser, ann, code)


async def test_mf_6_the_route_takes_the_code_as_a_proof(house, api, browser, ann):
    """MF-6: one proof a request, and a browser's only from the web client."""
    code = await browser.code(purpose=STEP_UP, auth_time=_now(house))
    who = house.principal(ann, "member")
    path, body = f"{AUTH}/step-up", {"oidc_code": code}
    both = body | {"password": "correct horse battery"}
    assert (await api("POST", path, both, who=who)).status == 422
    refused = await api("POST", path, body, who=who)
    assert (refused.status, refused.json()["code"]) == (403, "origin_refused")
    headers = {
        "origin": "https://chat.example.test",
        "x-parley-client": "web",
        "cookie": f"__Host-parley_oidc={browser.binding}",
    }
    answer = await api("POST", path, body, who=who, headers=headers)
    assert answer.status == 200, answer.json()
    assert answer.json()["session_id"] != ann.session_id
