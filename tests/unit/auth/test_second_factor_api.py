"""The routes of second factors over memory: shapes, statuses, what is shown once."""

from datetime import timedelta

import pyotp
import pytest

from libs.chassis.principals import Principal
from tests.support.authenticator import Authenticator
from tests.unit.auth.conftest import AUTH, EMAIL, PASSWORD
from tests.unit.auth.test_api import COOKIE, ORIGIN

ME = "/api/v1/me/mfa"
BROWSER = {"origin": ORIGIN, "x-parley-client": "web"}


@pytest.fixture
async def app(house, api, ann):
    """Ann's authenticator app, set up over the routes."""
    offer = (await api("POST", f"{ME}/totp", who=ann)).json()
    generator = pyotp.TOTP(offer["setup_key"])
    body = {"code": generator.at(house.clock.now())}
    confirmed = await api("POST", f"{ME}/totp/confirm", body, who=ann)
    assert confirmed.status == 200
    assert len(confirmed.json()["recovery_codes"]) == 10
    house.clock.advance(timedelta(seconds=30))
    return generator


async def test_mf_3_sign_in_with_a_code_over_the_routes(house, api, app):
    """MF-3: pending, wrong code, right code; the cookie comes with the second step."""
    pending, _ = await _login(api, use_cookie=True)
    body = {"pending_token": pending["pending_token"], "totp_code": "000000"}
    refused = await api("POST", f"{AUTH}/mfa/verify", body)
    assert (refused.status, refused.json()["code"]) == (403, "origin_refused")
    refused = await api("POST", f"{AUTH}/mfa/verify", body, headers=BROWSER)
    assert (refused.status, refused.json()["code"]) == (401, "second_factor_invalid")
    body["totp_code"] = app.at(house.clock.now())
    done = await api("POST", f"{AUTH}/mfa/verify", body, headers=BROWSER)
    assert done.status == 200
    assert done.json()["mfa_required"] is False
    assert done.json()["refresh_token"] is None
    assert COOKIE in done.header("set-cookie")
    assert done.header("cache-control") == "no-store"


async def test_mf_4_a_seed_is_in_no_answer_after_its_offer(house, api, ann, app):
    """MF-4: neither in the overview nor in the account."""
    for path in (ME, "/api/v1/me", "/api/v1/me/sessions"):
        answer = await api("GET", path, who=ann)
        assert answer.status == 200
        assert app.secret not in answer.body.decode()
    told = (await api("GET", ME, who=ann)).json()
    assert told == {
        "has_totp": True,
        "passkeys": [],
        "recovery_codes_left": 10,
        "is_enforced": False,
    }


async def test_mf_6_a_stale_proof_is_told_and_renewed(house, api, ann, app):
    """MF-6: step_up_required, then the step up, then the action."""
    house.clock.advance(timedelta(minutes=6))
    refused = await api("DELETE", f"{ME}/totp", who=ann)
    assert (refused.status, refused.json()["code"]) == (403, "step_up_required")
    wrong = await api("POST", f"{AUTH}/step-up", {"password": PASSWORD}, who=ann)
    assert (wrong.status, wrong.json()["code"]) == (403, "second_factor_needed")
    code = {"totp_code": app.at(house.clock.now())}
    tokens = (await api("POST", f"{AUTH}/step-up", code, who=ann)).json()
    fresh = Principal(ann.user_id, tokens["session_id"], ann.roles)
    assert (await api("DELETE", f"{ME}/totp", who=fresh)).status == 204
    gone = await api("DELETE", f"{ME}/totp", who=fresh)
    assert (gone.status, gone.json()["code"]) == (404, "second_factor_not_found")


@pytest.mark.parametrize("body", [{}, {"totp_code": "123456", "recovery_code": "x"}])
async def test_a_step_up_takes_exactly_one_proof(api, ann, body):
    """Neither none nor two."""
    assert (await api("POST", f"{AUTH}/step-up", body, who=ann)).status == 422


async def _login(api, **extra):
    body = {"email": EMAIL, "password": PASSWORD} | extra
    answer = await api("POST", f"{AUTH}/login", body, headers=BROWSER)
    return answer.json(), answer


async def test_a_passkey_over_the_routes(house, api, ann):
    """Registered, listed, used alone, used as second factor, renamed, removed."""
    key = Authenticator(ORIGIN)
    asked = await api("POST", f"{ME}/passkeys/options", who=ann)
    body = {"name": "desk", "credential": key.create(asked.json()["options"])}
    added = await api("POST", f"{ME}/passkeys", body, who=ann)
    assert added.status == 201
    passkey_id = added.json()["passkey"]["passkey_id"]
    [listed] = (await api("GET", ME, who=ann)).json()["passkeys"]
    assert (listed["passkey_id"], listed["name"]) == (passkey_id, "desk")
    asked = (await api("POST", f"{AUTH}/passkey/options")).json()["options"]
    assert (asked["userVerification"], asked["allowCredentials"]) == ("required", [])
    body = {"credential": key.get(asked), "use_cookie": True}
    done = await api("POST", f"{AUTH}/passkey/login", body, headers=BROWSER)
    assert COOKIE in done.header("set-cookie")
    pending, _ = await _login(api)
    token = {"pending_token": pending["pending_token"]}
    asked = await api("POST", f"{AUTH}/mfa/verify/options", token)
    body = token | {"passkey": key.get(asked.json()["options"])}
    assert (await api("POST", f"{AUTH}/mfa/verify", body)).status == 200
    path = f"{ME}/passkeys/{passkey_id}"
    assert (await api("PATCH", path, {"name": "safe"}, who=ann)).json()["name"] == (
        "safe"
    )
    asked = await api("POST", f"{AUTH}/step-up/options", who=ann)
    body = {"passkey": key.get(asked.json()["options"])}
    tokens = (await api("POST", f"{AUTH}/step-up", body, who=ann)).json()
    fresh = Principal(ann.user_id, tokens["session_id"], ann.roles)
    assert (await api("DELETE", path, who=fresh)).status == 204
