"""Malformed and hostile requests: a 4xx with a code, never a 5xx."""

import json
import unicodedata

import pytest

from libs.chassis.security import Principal
from libs.kernel import new_id
from tests.integration.auth.conftest import PASSWORD

pytestmark = pytest.mark.integration

GOOD = {"email": "a@example.test", "password": PASSWORD, "display_name": "Ann"}
LINK = {"token": "x" * 43, "password": PASSWORD}
AUTH = "/api/v1/auth"

BODIES = [
    ("register", {}),
    ("register", []),
    ("register", "text"),
    ("register", 1),
    ("register", {**GOOD, "roles": ["admin"]}),
    ("register", {**GOOD, "status": "active"}),
    ("register", {**GOOD, "user_id": "x"}),
    ("register", {**GOOD, "email": {"$ne": ""}}),
    ("register", {**GOOD, "email": ["a@example.test"]}),
    ("register", {**GOOD, "email": None}),
    ("register", {**GOOD, "email": "a" * 300}),
    ("register", {**GOOD, "email": "no address"}),
    ("register", {**GOOD, "email": "a@b.de\r\nBcc: c@d.de"}),
    ("register", {**GOOD, "email": "a\u0000@b.de"}),
    ("register", {**GOOD, "password": "x" * 14}),
    ("register", {**GOOD, "password": "x" * 257}),
    ("register", {**GOOD, "password": "PasswordStandard"}),
    ("register", {**GOOD, "password": 123456789012345}),
    ("register", {**GOOD, "password": {"$gt": ""}}),
    ("register", {**GOOD, "display_name": ""}),
    ("register", {**GOOD, "display_name": "\u202eevil"}),
    ("register", {**GOOD, "display_name": "x" * 65}),
    ("register", {**GOOD, "display_name": "x" * 100_000}),
    ("register", {**GOOD, "locale": "../../etc"}),
    ("register", {**GOOD, "locale": True}),
    ("verify", {}),
    ("verify", LINK | {"token": ""}),
    ("verify", LINK | {"token": "x" * 200}),
    ("verify", LINK | {"token": "invented"}),
    ("verify", LINK | {"token": {"$exists": True}}),
    ("verify", LINK | {"token": None}),
    ("verify", LINK | {"password": {"$ne": ""}}),
    ("verification", {"email": 5}),
    ("verification", {"email": "no address"}),
    ("login", {"email": "a@example.test"}),
    ("login", {"email": "a@example.test", "password": ""}),
    ("login", {"email": "a@example.test", "password": "x" * 257}),
    ("login", {"email": {"$regex": ".*"}, "password": PASSWORD}),
    ("login", {"email": "b@example.test", "password": "\u0000" * 20}),
    ("login", {"email": "nonsense", "password": PASSWORD}),
    ("login", {**GOOD}),
    ("login", {"email": "a@b.de", "password": PASSWORD, "use_cookie": "yes"}),
    ("login", {"email": "a@b.de", "password": PASSWORD, "use_cookie": True}),
    ("login", {"email": "a@b.de", "password": PASSWORD, "device_name": "x" * 65}),
    ("password-strength", {"password": "x" * 257}),
    ("password-strength", {"password": "x", "user_inputs": ["a"]}),
    ("forgot", {}),
    ("forgot", {"email": {"$ne": ""}}),
    ("reset", {"token": "invented", "password": PASSWORD}),
    ("reset", {"token": {"$exists": True}, "password": PASSWORD}),
    ("reset", {"token": "invented", "password": PASSWORD, "user_id": "x"}),
    ("email", {"token": "invented"}),
    ("email", {"token": "invented", "email": "a@example.test"}),
    ("invite", {"token": "invented", "password": PASSWORD, "display_name": "A"}),
    ("invite", {"token": "x", "password": PASSWORD, "display_name": "A", "role": "x"}),
    ("refresh", {}),
    ("refresh", {"refresh_token": ""}),
    ("refresh", {"refresh_token": "~~~"}),
    ("refresh", {"refresh_token": "x" * 257}),
    ("refresh", {"refresh_token": ["x"]}),
    ("refresh", {"refresh_token": f"k~{new_id()}~{'A' * 43}~{'A' * 43}"}),
    ("refresh", {"token": "x"}),
    ("logout", {"refresh_token": "invented"}),
]

RAW = [
    (b"{", "application/json"),
    (b'{"email": NaN}', "application/json"),
    (b'{"email": 1e400}', "application/json"),
    (b'{"email": "a", "email": "b"}', "application/json"),
    (b'{"email": "\\ud800"}', "application/json"),
    (b"\xff\xfe", "application/json"),
    (b"[" * 1_000, "application/json"),
    (b'{"email": 123456789012345678901234567890}', "application/json"),
    (b"email=a", "application/x-www-form-urlencoded"),
    (b'{"email": "a@b.de"}', "text/plain"),
]

USER_CALLS = [
    ("PATCH", "/api/v1/me", {"display_name": None}),
    ("PATCH", "/api/v1/me", {"roles": ["admin"]}),
    ("PATCH", "/api/v1/me", {"email": "new@example.test"}),
    ("PATCH", "/api/v1/me", {"revision": 99}),
    ("PATCH", "/api/v1/me", {"handle": "x"}),
    ("PATCH", "/api/v1/me", {"time_zone": "Mars/Base"}),
    ("PATCH", "/api/v1/me", {"time_zone": {"$set": 1}}),
    ("PATCH", "/api/v1/me", {"locale": ""}),
    ("PATCH", "/api/v1/me", {"status_text": "x" * 141}),
    ("PATCH", "/api/v1/me", {"status_text": "\u202e"}),
    ("PATCH", "/api/v1/me", []),
    ("PUT", "/api/v1/me/handle", {}),
    ("PUT", "/api/v1/me/handle", {"handle": "Admin"}),
    ("PUT", "/api/v1/me/handle", {"handle": "admin"}),
    ("PUT", "/api/v1/me/handle", {"handle": "a b"}),
    ("PUT", "/api/v1/me/handle", {"handle": {"$ne": None}}),
    ("PUT", "/api/v1/me/handle", {"handle": "x" * 1_000}),
    ("GET", "/api/v1/users", None),
    ("GET", "/api/v1/users?query=a&limit=0", None),
    ("GET", "/api/v1/users?query=a&limit=201", None),
    ("GET", "/api/v1/users?query=a&limit=x", None),
    ("GET", "/api/v1/users?query=a&cursor=%00", None),
    ("GET", "/api/v1/users?query=a&cursor=eyJhZnRlciI6eyIkbmUiOjF9fQ", None),
    ("GET", "/api/v1/users?query=a&cursor=" + "A" * 300, None),
    ("GET", "/api/v1/users?handle=", None),
    ("GET", "/api/v1/users?query=" + "x" * 65, None),
    ("GET", "/api/v1/users?handle=a&query=b", None),
    ("GET", "/api/v1/users?ids=" + "x" * 36, None),
    ("GET", "/api/v1/users/not-an-id", None),
    ("GET", "/api/v1/users/" + "x" * 36, None),
    ("GET", f"/api/v1/users/{new_id()}", None),
    ("GET", "/api/v1/me/sessions?cursor=e30", None),
    ("DELETE", "/api/v1/me/sessions/" + "x" * 36, None),
    ("DELETE", f"/api/v1/me/sessions/{new_id()}", None),
    ("PUT", "/api/v1/me/password", {"new_password": PASSWORD}),
    (
        "PUT",
        "/api/v1/me/password",
        {"current_password": PASSWORD, "new_password": {"$gt": ""}},
    ),
    ("PUT", "/api/v1/me/email", {"email": ["a@example.test"]}),
    ("PUT", "/api/v1/me/email", {"email": "a@b.de\r\nBcc: c@d.de"}),
    ("POST", "/api/v1/invites", {"email": "a@example.test", "role": "admin"}),
    ("POST", "/api/v1/invites", {"email": "a@example.test"}),
    ("GET", "/api/v1/invites?cursor=e30", None),
    ("DELETE", f"/api/v1/invites/{new_id()}", None),
    ("DELETE", "/api/v1/invites/" + "x" * 36, None),
    ("GET", "/internal/sessions", None),
    ("GET", "/api/v1/auth/nowhere", None),
]


def _is_refused(answer):
    status, body, response = answer
    assert 400 <= status < 500, (status, body)
    assert body["code"], body
    assert response.content_type == "application/problem+json"
    assert "Traceback" not in str(body)
    return True


@pytest.mark.parametrize(
    ("route", "body"), BODIES, ids=[f"{n}-{r}" for n, (r, _) in enumerate(BODIES)]
)
async def test_bad_body_is_refused(client, route, body):
    """MA-1, NI-1: unknown fields, operators and wrong types get 4xx with a code."""
    assert _is_refused(await client.post(route, body, address=f"10.0.{len(route)}.1"))


@pytest.mark.parametrize("route", ["register", "login", "password-strength"])
async def test_pw_1_half_a_surrogate_pair_is_refused(client, route):
    """PW-1: a password that is no text is a 4xx on every route, never a 500."""
    half = json.dumps({**GOOD, "password": "\ud800" * 15}).encode()
    headers = client.process.headers() | {"Content-Type": "application/json"}
    url = f"{client.process.url}{AUTH}/{route}"
    async with client.http.post(url, data=half, headers=headers) as response:
        assert 400 <= response.status < 500


@pytest.mark.parametrize("password", ["😀" * 64, "a\x00b" * 10, "e\u0301" * 30])
async def test_pw_1_any_text_is_a_password(client, mailbox, email, password):
    """PW-1: emoji, NUL and decomposed letters register and sign in."""
    body = {"email": email, "password": password, "display_name": "Ann"}
    status, answer, _ = await client.post("register", body)
    assert status == 202, answer
    link = {"token": await mailbox.token(email), "password": password}
    status, answer, _ = await client.post("verify", link)
    assert status == 200, answer
    await client.login(email, unicodedata.normalize("NFC", password))


@pytest.mark.parametrize(("raw", "content_type"), RAW, ids=range(len(RAW)))
async def test_ni_3_what_is_no_strict_json_is_refused(client, raw, content_type):
    """NI-3, CS-1: only strict JSON is read."""
    headers = client.process.headers() | {"Content-Type": content_type}
    url = f"{client.process.url}{AUTH}/verification"
    async with client.http.post(url, data=raw, headers=headers) as response:
        body = await response.json(content_type=None)
        assert _is_refused((response.status, body, response))


@pytest.mark.parametrize(
    ("method", "path", "body"), USER_CALLS, ids=range(len(USER_CALLS))
)
async def test_bad_call_of_a_user_is_refused(client, method, path, body):
    """AZ-2, EN-3: foreign, missing and malformed ids and fields get 4xx."""
    who = Principal(new_id(), new_id(), ("member",))
    assert _is_refused(await client.call(method, path, body, principal=who))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/me"),
        ("PATCH", "/api/v1/me"),
        ("PUT", "/api/v1/me/handle"),
        ("PUT", "/api/v1/me/password"),
        ("PUT", "/api/v1/me/email"),
        ("GET", "/api/v1/invites"),
        ("POST", "/api/v1/invites"),
        ("DELETE", f"/api/v1/invites/{new_id()}"),
        ("GET", "/api/v1/users"),
        ("GET", f"/api/v1/users/{new_id()}"),
        ("GET", "/api/v1/me/sessions"),
        ("DELETE", f"/api/v1/me/sessions/{new_id()}"),
    ],
)
async def test_az_1_user_routes_need_a_user(client, method, path):
    """AZ-1, IN-1: nobody 401, a service 403, no internal token 401."""
    body = {} if method in ("PATCH", "PUT", "POST") else None
    status, _, _ = await client.call(method, path, body)
    assert status == 401
    status, _, _ = await client.call(method, path, body, principal=Principal.service())
    assert status == 403
    async with client.http.request(
        method, f"{client.process.url}{path}", json=body
    ) as response:
        assert response.status == 401


async def test_az_1_internal_route_is_for_services_alone(client):
    """AZ-1: neither a user nor nobody may ask which sessions ended."""
    for principal in (Principal.anonymous(), Principal(new_id(), new_id())):
        status, _, _ = await client.call(
            "GET", "/internal/sessions", principal=principal
        )
        assert status in (401, 403)
    for since in ("nonsense", "0001-01-01T00:00:00", "9999-12-31T23:59:59+00:00"):
        status, _, _ = await client.call(
            "GET",
            f"/internal/sessions?changed_since={since}",
            principal=Principal.service(),
        )
        assert status in (200, 400)


async def test_jw_2_access_token_is_no_internal_token(client, ann):
    """JW-2: a user's own token does not open the service directly."""
    tokens, _ = await client.login(ann)
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    url = f"{client.process.url}/api/v1/me"
    async with client.http.get(url, headers=headers) as response:
        assert response.status == 401
