"""The routes over memory: shapes, statuses, cookies, headers."""

from datetime import timedelta

import pytest

from libs.chassis.principals import Principal
from libs.kernel import new_id
from services.auth.api import ROUTERS
from services.auth.domain import (
    SecondFactors,
    UserStatus,
)
from tests.unit.auth.conftest import AUTH, EMAIL, PASSWORD

ORIGIN = "https://chat.example.test"
COOKIE = "__Host-parley_refresh"


async def test_mf_3_a_missing_factor_is_told_in_the_same_shape_to_every_client(
    house, api
):
    """MF-3: 200 with mfa_required, no token of a session, no cookie."""
    ann = await house.join()
    factors = SecondFactors(ann).with_candidate("A" * 32, house.clock.now())
    await house.adapters.stores.second_factors.save(factors, None)
    await house.adapters.stores.second_factors.save(factors.with_totp(1, []), None)
    for extra in ({}, {"use_cookie": True}):
        body = {"email": EMAIL, "password": PASSWORD} | extra
        headers = {"origin": ORIGIN, "x-parley-client": "web"}
        answer = await api("POST", f"{AUTH}/login", body, headers=headers)
        assert answer.status == 200
        assert "set-cookie" not in answer.headers
        told = answer.json()
        assert len(told.pop("pending_token")) >= 22
        assert told == {
            "mfa_required": True,
            "factors": ["totp"],
            "is_enrolment_required": False,
            "expires_in": 300,
        }


def _dependencies(tree):
    for inner in tree.dependencies:
        yield inner.call.__name__
        yield from _dependencies(inner)


def test_az_1_no_route_without_a_policy():
    """AZ-1: each route needs an internal token; the public keys alone do not."""
    policies = {"_any_principal", "_current_principal", "_service_principal"}
    without = [
        route.path
        for router in ROUTERS
        for route in router.routes
        if not policies & set(_dependencies(route.dependant))  # codespell:ignore
    ]
    assert without == ["/api/v1/auth/jwks.json"]


async def test_pw_2_short_password_is_a_malformed_field(api):
    """PW-2: 14 code points are 422 by whichever rule; 15 are fine."""
    for length, status in ((7, 422), (14, 422), (15, 202)):
        body = {"email": EMAIL, "password": "😀" * length, "display_name": "Ann"}
        answer = await api("POST", f"{AUTH}/register", body)
        assert answer.status == status
        if status == 422:
            assert answer.json()["code"] == "request_invalid"
            assert answer.json()["errors"][0]["path"] == "body.password"


async def test_pw_5_refused_password_is_told_why(api):
    """PW-5: the rule stands in the answer."""
    for password, rule in (
        ("PasswordStandard", "listed"),
        ("ann@example.test", "personal"),
    ):
        body = {"email": EMAIL, "password": password, "display_name": "Ann"}
        answer = await api("POST", f"{AUTH}/register", body)
        assert (answer.status, answer.json()["code"]) == (400, "password_invalid")
        assert answer.json()["rule"] == rule


@pytest.mark.parametrize("route", ["register", "login", "password-strength"])
async def test_pw_3_five_megabytes_are_refused(api, route):
    """PW-3: a password of 5 MB is a 4xx on every route."""
    body = {"email": EMAIL, "password": "x" * 5_000_000, "display_name": "Ann"}
    answer = await api("POST", f"{AUTH}/{route}", body)
    assert answer.status in (413, 422)


async def test_password_strength(api):
    """The hint is a score, what would help and whether it may be chosen."""
    path = f"{AUTH}/password-strength"
    answer = await api("POST", path, {"password": "PasswordStandard", "email": "an"})
    assert answer.status == 200
    assert (answer.json()["is_accepted"], answer.json()["rule"]) == (False, "listed")
    body = {"password": "kx9#Tq2v-mM4rr!w", "email": EMAIL, "display_name": "Ann"}
    answer = await api("POST", path, body)
    assert answer.json()["is_accepted"] is True
    assert answer.json()["score"] == 4
    assert (await api("POST", path, {"password": "x" * 257})).status == 422


async def test_registration_and_verification(api, house):
    """202 with one body, then 200, then 400 for the used link."""
    body = {"email": EMAIL, "password": PASSWORD, "display_name": "Ann"}
    answer = await api("POST", f"{AUTH}/register", body)
    assert (answer.status, answer.json()) == (202, {"status": "accepted"})
    await house.bus.settled()
    answer = await api("POST", f"{AUTH}/verification", {"email": EMAIL})
    assert (answer.status, answer.json()) == (202, {"status": "accepted"})
    await house.bus.settled()
    link = {"token": house.token(), "password": "another sentence it was"}
    answer = await api("POST", f"{AUTH}/verify", link)
    assert (answer.status, answer.json()["code"]) == (403, "password_wrong")
    link["password"] = PASSWORD
    answer = await api("POST", f"{AUTH}/verify", link)
    assert (answer.status, answer.json()) == (200, {"is_verified": True})
    answer = await api("POST", f"{AUTH}/verify", link)
    assert (answer.status, answer.json()["code"]) == (400, "verification_token_invalid")


async def test_login_answers_with_tokens_that_nobody_keeps(api, ann):
    """The contract's fields, and no-store."""
    body = {"email": EMAIL, "password": PASSWORD}
    answer = await api("POST", f"{AUTH}/login", body)
    assert answer.status == 200
    assert set(answer.json()) == {
        "mfa_required",
        "access_token",
        "token_type",
        "expires_in",
        "refresh_token",
        "session_id",
        "user_id",
    }
    assert answer.header("cache-control") == "no-store"
    assert answer.header("set-cookie") is None


async def test_throttled_login_tells_when_to_come_back(api, ann):
    """LT-1: 429 with Retry-After and a code."""
    body = {"email": EMAIL, "password": "wrong password here"}
    for _ in range(5):
        assert (await api("POST", f"{AUTH}/login", body)).status == 401
    answer = await api("POST", f"{AUTH}/login", body)
    assert (answer.status, answer.json()["code"]) == (429, "login_throttled")
    assert answer.header("retry-after") == "1"


async def test_refresh_and_logout_by_body(api, ann):
    """A native client sends its refresh token in the body."""
    tokens, _ = await api.login()
    body = {"refresh_token": tokens["refresh_token"]}
    answer = await api("POST", f"{AUTH}/refresh", body)
    assert answer.status == 200
    body = {"refresh_token": answer.json()["refresh_token"]}
    assert (await api("POST", f"{AUTH}/logout", body)).status == 204
    assert (await api("POST", f"{AUTH}/refresh", body)).status == 401


async def test_logout_of_a_session_that_is_gone_is_a_logout(api):
    """Signing out never fails for want of a session."""
    who = Principal(new_id(), new_id(), ("member",))
    assert (await api("POST", f"{AUTH}/logout", who=who)).status == 204
    assert (await api("POST", f"{AUTH}/logout")).status == 204


def _browser(**changed):
    return {"origin": ORIGIN, "x-parley-client": "web"} | changed


async def _cookie_login(api):
    body = {"email": EMAIL, "password": PASSWORD, "use_cookie": True}
    answer = await api("POST", f"{AUTH}/login", body, headers=_browser())
    assert answer.status == 200
    return answer


def _value(answer):
    return answer.header("set-cookie").partition(";")[0]


async def test_rt_5_cookie_mode(api, ann):
    """RT-5: the token is in the cookie alone, through login, refresh and logout."""
    answer = await _cookie_login(api)
    assert answer.json()["refresh_token"] is None
    cookie = answer.header("set-cookie")
    for part in (f"{COOKIE}=", "HttpOnly", "Secure", "SameSite=strict", "Path=/"):
        assert part in cookie
    headers = _browser(cookie=_value(answer))
    answer = await api("POST", f"{AUTH}/refresh", headers=headers)
    assert answer.status == 200
    assert answer.json()["refresh_token"] is None
    headers = {"origin": ORIGIN, "x-parley-csrf": "1", "cookie": _value(answer)}
    answer = await api("POST", f"{AUTH}/logout", headers=headers)
    assert answer.status == 204
    assert "Max-Age=0" in answer.header("set-cookie")
    assert (await api("POST", f"{AUTH}/refresh", headers=headers)).status == 401


@pytest.mark.parametrize(
    "changed",
    [
        {"origin": "https://evil.example"},
        {"origin": "https://chat.example.test.evil.example"},
        {"origin": "http://chat.example.test"},
        {"origin": "https://chat.example.test:444"},
        {"origin": "HTTPS://CHAT.EXAMPLE.TEST"},
        {"origin": "null"},
        {"origin": ""},
        {"x-parley-client": ""},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
    ],
)
async def test_cs_1_cookie_needs_the_clients_own_origin(api, ann, changed):
    """CS-1, CO-1: exact origin, custom header, no cross-site request."""
    cookie = _value(await _cookie_login(api))
    headers = _browser(cookie=cookie) | changed
    answer = await api("POST", f"{AUTH}/refresh", headers=headers)
    assert (answer.status, answer.json()["code"]) == (403, "origin_refused")
    body = {"email": EMAIL, "password": PASSWORD, "use_cookie": True}
    answer = await api("POST", f"{AUTH}/login", body, headers=_browser() | changed)
    assert answer.status == 403


async def test_refresh_without_a_token_is_unauthenticated(api):
    """Neither body nor cookie: sign in."""
    for body in (None, {}):
        answer = await api("POST", f"{AUTH}/refresh", body)
        assert (answer.status, answer.json()["code"]) == (401, "refresh_token_invalid")


async def test_keys_are_public(api):
    """The JWKS may be cached for a minute and holds public parts alone."""
    answer = await api("GET", f"{AUTH}/jwks.json", headers={"authorization": ""})
    assert answer.status == 200
    assert answer.header("cache-control") == "public, max-age=60"
    assert "d" not in answer.json()["keys"][0]


async def test_own_profile(api, ann):
    """Reading, changing and taking a handle."""
    answer = await api("GET", "/api/v1/me", who=ann)
    assert answer.json()["email"] == EMAIL
    change = {"status_text": "here", "time_zone": "Europe/Rome"}
    answer = await api("PATCH", "/api/v1/me", change, who=ann)
    assert (answer.status, answer.json()["revision"]) == (200, 3)
    answer = await api("PUT", "/api/v1/me/handle", {"handle": "ann"}, who=ann)
    assert (answer.status, answer.json()["handle"]) == (200, "ann")
    answer = await api("PATCH", "/api/v1/me", {"display_name": None}, who=ann)
    assert answer.status == 422


async def test_directory(api, house, ann):
    """Exact handle, ids, beginning of a name, pages; one way at a time."""
    await house.join("bob@example.test", name="Bob Anson")
    await api("PUT", "/api/v1/me/handle", {"handle": "ann"}, who=ann)
    for query in ("handle=ann", f"ids={ann.user_id}", "query=Ann"):
        page = (await api("GET", f"/api/v1/users?{query}", who=ann)).json()
        assert [user["user_id"] for user in page["items"]] == [ann.user_id]
        assert "email" not in page["items"][0]
        assert "roles" not in page["items"][0]
    first = (await api("GET", "/api/v1/users?query=an&limit=1", who=ann)).json()
    path = f"/api/v1/users?query=an&limit=1&cursor={first['next_cursor']}"
    second = (await api("GET", path, who=ann)).json()
    assert second["next_cursor"] is None
    assert second["items"][0]["display_name"] == "Bob Anson"
    for query, code in (
        ("handle=a&query=b", "query_ambiguous"),
        (f"ids={'x' * 36}", "ids_invalid"),
        ("query=a&cursor=e30", "cursor_invalid"),
        ("query=a&cursor=%7B", "cursor_invalid"),
    ):
        answer = await api("GET", f"/api/v1/users?{query}", who=ann)
        assert (answer.status, answer.json()["code"]) == (400, code)


@pytest.mark.parametrize("query", ["", "?limit=10", "?cursor=e30"])
async def test_directory_is_not_listed_as_a_whole(api, ann, query):
    """One way to find people is to be given."""
    answer = await api("GET", f"/api/v1/users{query}", who=ann)
    assert (answer.status, answer.json()["code"]) == (422, "request_invalid")
    assert answer.json()["errors"][0]["path"] == "query.query"


async def test_pending_and_suspended_people_over_http(api, house, ann):
    """Others see nothing of who is unverified, and only the name of the suspended."""
    await house.register("pending@example.test", name="Pat Pending")
    pending, _ = house.mails[-1]
    paul = await house.join("paul@example.test", name="Pat Paul")
    user = await house.adapters.stores.users.get(paul, None)
    suspended = user.changed(house.clock.now(), status=UserStatus.SUSPENDED)
    await house.adapters.stores.users.update(suspended, None)
    answer = await api("GET", "/api/v1/users?query=pat", who=ann)
    assert answer.json()["items"] == []
    both = f"{pending.user_id},{paul}"
    page = (await api("GET", f"/api/v1/users?ids={both}", who=ann)).json()
    assert [(u["user_id"], u["is_active"]) for u in page["items"]] == [(paul, False)]
    path = f"/api/v1/users/{pending.user_id}"
    assert (await api("GET", path, who=ann)).status == 404


async def test_en_3_unknown_and_malformed_ids_are_alike(api, ann):
    """EN-3: what is not there and what cannot be there answer the same."""
    for path in ("/api/v1/users/", "/api/v1/me/sessions/"):
        method = "DELETE" if "sessions" in path else "GET"
        answers = [
            await api(method, path + suffix, who=ann)
            for suffix in (new_id(), "abc", "x" * 36, "A" * 36, "x" * 300)
        ]
        assert {answer.status for answer in answers} == {404}
        assert len({answer.json()["code"] for answer in answers}) == 1


async def test_own_user_is_seen_by_id(api, ann):
    """The public profile of oneself is that of anyone."""
    answer = await api("GET", f"/api/v1/users/{ann.user_id}", who=ann)
    assert answer.json()["is_active"] is True


async def test_own_sessions(api, ann):
    """Listing in pages and ending one; the current one is marked."""
    _, other = await api.login(device_name="laptop")
    page = (await api("GET", "/api/v1/me/sessions?limit=1", who=ann)).json()
    assert page["items"][0]["is_current"]
    path = f"/api/v1/me/sessions?cursor={page['next_cursor']}"
    page = (await api("GET", path, who=ann)).json()
    assert [item["device_name"] for item in page["items"]] == ["laptop"]
    path = f"/api/v1/me/sessions/{other.session_id}"
    for _ in range(2):
        assert (await api("DELETE", path, who=ann)).status == 204
    page = (await api("GET", "/api/v1/me/sessions", who=ann)).json()
    assert len(page["items"]) == 1


async def test_sr_5_ending_other_sessions_needs_a_fresh_proof(api, ann, house):
    """SR-5: a stolen access token alone ends its own session and no other."""
    _, other = await api.login(device_name="laptop")
    house.clock.advance(timedelta(minutes=4))
    _, fresh = await api.login(device_name="phone")
    house.clock.advance(timedelta(minutes=2))
    for path in ("", f"/{other.session_id}"):
        answer = await api("DELETE", f"/api/v1/me/sessions{path}", who=ann)
        assert (answer.status, answer.json()["code"]) == (403, "step_up_required")
    assert (await api("DELETE", "/api/v1/me/sessions", who=fresh)).status == 204
    page = (await api("GET", "/api/v1/me/sessions", who=fresh)).json()
    assert [one["session_id"] for one in page["items"]] == [fresh.session_id]
    own = f"/api/v1/me/sessions/{fresh.session_id}"
    house.clock.advance(timedelta(minutes=6))
    assert (await api("DELETE", own, who=fresh)).status == 204


async def test_changed_sessions_are_for_services(api, ann, monkeypatch):
    """Services read what ended, page by page; nobody else does."""
    monkeypatch.setattr("services.auth.service.sessions.REVOCATION_PAGE", 1)
    path = "/internal/sessions"
    assert (await api("GET", path)).status == 403
    assert (await api("GET", path, who=ann)).status == 403
    _, other = await api.login()
    for who in (other, ann):
        await api("POST", f"{AUTH}/logout", who=who)
    seen, since = [], ""
    for _ in range(3):
        answer = await api("GET", path + since, who=Principal.service())
        seen += [gone["session_id"] for gone in answer.json()["revoked"]]
        since = f"?changed_since={answer.json()['as_of']}"
    assert sorted(seen) == sorted([ann.session_id, other.session_id])
    for bad in ("nonsense", "e30", "eyJzaW5jZSI6IngiLCJhZnRlciI6IngifQ"):
        answer = await api(
            "GET", f"{path}?changed_since={bad}", who=Principal.service()
        )
        assert (answer.status, answer.json()["code"]) == (400, "cursor_invalid")
    naive = f"{path}?changed_since=2026-01-01T00:00:00"
    assert (await api("GET", naive, who=Principal.service())).status == 200


async def test_sr_6_deleted_user_is_gone_from_the_own_view(api, house):
    """A token of a user who is not there any more opens nothing."""
    who = Principal(new_id(), new_id(), ("member",))
    assert (await api("GET", "/api/v1/me", who=who)).status == 404
    answer = await api("PATCH", "/api/v1/me", {"status_text": "x"}, who=who)
    assert answer.status == 404
