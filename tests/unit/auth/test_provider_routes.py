"""The routes of providers over memory: redirects, cookies, statuses."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from services.auth.domain import challenge_of
from tests.unit.auth.test_api import ORIGIN

OIDC = "/api/v1/auth/oidc"
BROWSER = {"origin": ORIGIN, "x-parley-client": "web"}


class Tab:
    """A browser's tab: keeps the flow cookie, follows no redirect by itself."""

    def __init__(self, house, api):
        self._house = house
        self._api = api
        self.cookie = ""

    async def start(self, query="", provider="acme"):
        """Open the start route; return its answer."""
        answer = await self._api("GET", f"{OIDC}/{provider}/start{query}")
        cookie = answer.header("set-cookie")
        if cookie:
            self.cookie = cookie.partition(";")[0]
        return answer

    async def callback(self, address, provider="acme"):
        """Come back approved; return where it leads."""
        code, state = self._house.stubs[provider].approve(address)
        path = f"{OIDC}/{provider}/callback?code={code}&state={state}"
        headers = {"cookie": self.cookie}
        answer = await self._api("GET", path, headers=headers)
        assert answer.status == 303
        assert answer.header("cache-control") == "no-store"
        return answer.header("location")

    async def code(self, query=""):
        """Go there and back; return the one-time code."""
        address = (await self.start(query)).header("location")
        location = await self.callback(address)
        return dict(parse_qsl(urlsplit(location).fragment))

    async def exchange(self, code, **extra):
        """Redeem a code as the web client does."""
        headers = BROWSER | {"cookie": self.cookie}
        body = {"code": code, "use_cookie": True} | extra
        return await self._api("POST", f"{OIDC}/exchange", body, headers=headers)


@pytest.fixture
def tab(house, api):
    """A tab without cookies."""
    return Tab(house, api)


async def test_providers_are_listed(api):
    """For the buttons of a sign-in page; ids and names alone (MA-2)."""
    answer = await api("GET", OIDC)
    assert answer.json()["providers"][0] == {"provider_id": "acme", "name": "Acme"}


async def test_browser_signs_in_and_gets_its_cookie(tab):
    """From the button to the refresh cookie; no secret in a path or query."""
    answer = await tab.start()
    assert answer.status == 302
    cookie = answer.header("set-cookie")
    assert cookie.startswith("__Host-parley_oidc=")
    for flag in ("HttpOnly", "Secure", "Path=/", "Max-Age=600", "SameSite=lax"):
        assert flag in cookie
    found = await tab.code()
    signed_in = await tab.exchange(found["oidc_code"], device_name="laptop")
    assert signed_in.status == 200
    assert signed_in.json()["refresh_token"] is None
    cookies = [value for name, value in signed_in.headers if name == "set-cookie"]
    assert any(one.startswith("__Host-parley_refresh=") for one in cookies)
    assert any(one.startswith('__Host-parley_oidc="";') for one in cookies)
    again = await tab.exchange(found["oidc_code"])
    assert (again.status, again.json()["code"]) == (401, "provider_sign_in_invalid")


async def test_cs_1_code_of_a_browser_needs_its_cookie_and_origin(tab, api):
    """CS-1, OI-1: another origin, no header, or another browser redeem nothing."""
    for headers, expected in (
        (BROWSER | {"origin": "https://evil.test"}, (403, "origin_refused")),
        ({"origin": ORIGIN}, (403, "origin_refused")),
        (BROWSER | {"cookie": ""}, (401, "provider_sign_in_invalid")),
    ):
        code = (await tab.code())["oidc_code"]
        sent = {"cookie": tab.cookie} | headers
        answer = await api("POST", f"{OIDC}/exchange", {"code": code}, headers=sent)
        assert (answer.status, answer.json()["code"]) == expected


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_other_sites_start_no_sign_in(api, site):
    """A link elsewhere must not sign somebody in as somebody else."""
    headers = {"sec-fetch-site": site}
    answer = await api("GET", f"{OIDC}/acme/start", headers=headers)
    assert (answer.status, answer.json()["code"]) == (403, "origin_refused")


@pytest.mark.parametrize(
    ("query", "provider", "expected"),
    [
        ("?return_to=//evil.test", "acme", (400, "redirect_invalid")),
        ("?return_to=%2F%5Cevil.test", "acme", (400, "redirect_invalid")),
        ("?return_to=%252f%252fevil.test", "acme", (400, "redirect_invalid")),
        ("?return_to=%2F%0d%0ax", "acme", (400, "redirect_invalid")),
        ("?redirect_uri=http://evil.test", "acme", (400, "redirect_invalid")),
        ("?purpose=delete", "acme", (422, "request_invalid")),
        ("", "nobody", (404, "provider_not_found")),
    ],
)
async def test_oi_3_wrong_start_is_a_problem(tab, query, provider, expected):
    """OI-3: nothing is redirected, no cookie set."""
    answer = await tab.start(query, provider)
    assert (answer.status, answer.json()["code"]) == expected
    assert answer.header("location") is None
    assert answer.header("set-cookie") is None


@pytest.mark.parametrize(
    "query", ["", "?state=x", "?state=x&code=y", "?error=access_denied", "?state=%00"]
)
async def test_answer_that_nobody_asked_for_leads_to_the_web_client(api, query):
    """OI-1: missing or invented state; the fallback page gets the error."""
    answer = await api("GET", f"{OIDC}/acme/callback{query}")
    assert answer.status == 303
    assert answer.header("location") == (
        f"{ORIGIN}/sign-in#oidc_error=provider_sign_in_invalid"
    )


async def test_native_client_signs_in_with_its_verifier(tab, api):
    """RFC 8252: system browser there, code and verifier here; tokens in the body."""
    verifier = "v" * 43
    query = (
        "?redirect_uri=http%3A%2F%2F127.0.0.1%3A4711%2Fdone"
        f"&code_challenge={challenge_of(verifier)}&state=mine"
    )
    address = (await tab.start(query)).header("location")
    found = dict(parse_qsl(urlsplit(await tab.callback(address)).query))
    assert found["state"] == "mine"
    body = {"code": found["code"], "code_verifier": verifier}
    answer = await api("POST", f"{OIDC}/exchange", body)
    assert answer.status == 200
    assert answer.json()["refresh_token"]


async def test_signed_in_user_links_lists_and_unlinks(tab, api, ann):
    """The whole life of a link, over the routes."""
    code = (await tab.code("?purpose=link"))["oidc_link_code"]
    headers = BROWSER | {"cookie": tab.cookie}
    path = "/api/v1/me/identities"
    answer = await api("POST", path, {"code": code}, who=ann, headers=headers)
    assert answer.status == 204
    (linked,) = (await api("GET", path, who=ann)).json()["items"]
    assert (linked["provider_id"], linked["name"]) == ("acme", "Acme")
    assert (await api("DELETE", f"{path}/acme", who=ann)).status == 204
    gone = await api("DELETE", f"{path}/acme", who=ann)
    assert (gone.status, gone.json()["code"]) == (404, "identity_not_found")
    assert (await api("GET", path)).status == 401


async def _logout(api, body, kind="application/x-www-form-urlencoded"):
    return await api.form("/api/v1/auth/backchannel-logout/acme", body, kind)


async def test_provider_logs_out_with_a_form(tab, api, house):
    """Back-Channel Logout 1.0, section 2.5: a form, 200, and the session is over."""
    house.stubs["acme"].lie = {"sid": "s1"}
    code = (await tab.code())["oidc_code"]
    session_id = (await tab.exchange(code)).json()["session_id"]
    token = house.stubs["acme"].signer.logout_token(sid="s1")
    answer = await _logout(api, f"logout_token={token}".encode())
    assert answer.status == 200
    assert answer.header("cache-control") == "no-store"
    session = await house.adapters.stores.sessions.get(session_id, None)
    assert session.revoked_at is not None


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"logout_token=x", "application/x-www-form-urlencoded", 400),
        (b"logout_token=", "application/x-www-form-urlencoded", 400),
        (b"logout_token=a&logout_token=b", "application/x-www-form-urlencoded", 400),
        (b"token=a", "application/x-www-form-urlencoded", 400),
        (b"\xff", "application/x-www-form-urlencoded", 400),
        (b"&".join([b"a=b"] * 20), "application/x-www-form-urlencoded", 400),
        (b"", "application/x-www-form-urlencoded", 400),
        (b'{"logout_token": "x"}', "application/json", 415),
        (b"logout_token=x", "text/plain", 415),
    ],
)
async def test_ni_3_wrong_logout_is_refused(api, body, kind, status):
    """NI-3: never a 500, whatever the bytes."""
    assert (await _logout(api, body, kind)).status == status


async def test_forms_are_taken_nowhere_else(api):
    """CS-1: a form is refused at every other route."""
    kind = "application/x-www-form-urlencoded"
    answer = await api.form(f"{OIDC}/exchange", b"code=x", kind)
    assert answer.status == 415
