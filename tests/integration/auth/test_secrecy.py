"""What nobody may learn: from answers, from the database, from the logs."""

import asyncio

import pytest
from pymongo import AsyncMongoClient

from libs.chassis.security import Principal
from libs.kernel import new_id
from tests.integration.auth.conftest import PASSWORD

pytestmark = pytest.mark.integration

_MASKED = {"x-request-id", "date", "content-length"}


def _visible(answer):
    status, body, response = answer
    if isinstance(body, dict):
        body = {key: value for key, value in body.items() if key != "trace_id"}
    headers = {
        name.lower(): value
        for name, value in response.headers.items()
        if name.lower() not in _MASKED
    }
    return status, body, headers


async def test_en_1_failed_logins_are_byte_equal(client, ann, email):
    """EN-1: wrong password, unknown and unverified account look the same."""
    pending = f"pending-{new_id()}@example.test"
    body = {"email": pending, "password": PASSWORD, "display_name": "P"}
    await client.post("register", body)
    tried = {ann: "wrong password here", pending: PASSWORD, f"x{email}": PASSWORD}
    answers = [
        _visible(await client.post("login", {"email": address, "password": password}))
        for address, password in tried.items()
    ]
    assert answers[0] == answers[1] == answers[2]
    assert answers[0][0] == 401
    assert answers[0][1]["code"] == "credentials_invalid"


async def test_en_1_registrations_are_byte_equal(client, ann, email):
    """EN-1: a taken and a free address answer alike, and so does a resend."""
    answers = [
        _visible(
            await client.post(
                "register",
                {"email": address, "password": PASSWORD, "display_name": "A"},
            )
        )
        for address in (ann, f"new-{email}")
    ]
    assert answers[0] == answers[1]
    resends = [
        _visible(await client.post("verification", {"email": address}))
        for address in (ann, f"new-{email}", f"unknown-{email}")
    ]
    assert resends[0] == resends[1] == resends[2]
    assert answers[0][1] == resends[0][1] == {"status": "accepted"}


async def test_cr_6_no_address_token_or_password_rests_in_the_clear(
    client, mailbox, ann, stack
):
    """CR-6, RT-5: neither database nor log holds what must be secret."""
    tokens, who = await client.login(ann)
    wanted, invited = f"wanted-{new_id()}@example.test", f"in-{new_id()}@example.test"
    await client.post("forgot", {"email": ann})
    admin = Principal(who.user_id, who.session_id, ("admin",))
    for method, path, email in (
        ("PUT", "/api/v1/me/email", wanted),
        ("POST", "/api/v1/invites", invited),
    ):
        await client.call(method, path, {"email": email}, principal=admin)
    mailed = [
        await mailbox.token(ann, "account.reset_requested"),
        await mailbox.token(
            wanted, "account.email_change_requested", field="new_email"
        ),
        await mailbox.token(invited, "account.invited"),
    ]
    _, second, _ = await client.post(
        "refresh", {"refresh_token": tokens["refresh_token"]}
    )
    link = await mailbox.token(ann)
    secrets = [
        *mailed,
        wanted,
        invited,
        ann,
        ann.upper(),
        PASSWORD,
        link,
        tokens["refresh_token"],
        second["refresh_token"],
        tokens["access_token"],
    ]
    stored = await _dump(stack.database_url("auth"))
    log = await asyncio.to_thread(client.process.log_file.read_text)
    assert "signed_in" in log
    for secret in secrets:
        assert secret not in stored
        assert secret not in log


async def _dump(url):
    async with AsyncMongoClient(url) as mongo:
        database = mongo["parley_auth"]
        rows = []
        for name in await database.list_collection_names():
            rows += [str(row) async for row in database[name].find()]
    return "\n".join(rows)


COOKIE = "__Host-parley_refresh"


async def test_rt_5_browser_gets_its_refresh_token_as_a_cookie_alone(client, ann):
    """RT-5: HttpOnly, Secure, SameSite=Strict, Path=/; nothing in the body."""
    headers = {"Origin": client.process.origin, "X-Parley-Client": "web"}
    body = {"email": ann, "password": PASSWORD, "use_cookie": True}
    status, tokens, response = await client.post("login", body, headers=headers)
    assert status == 200
    assert tokens["refresh_token"] is None
    [cookie] = response.headers.getall("Set-Cookie")
    assert cookie.startswith(f"{COOKIE}=")
    for flag in ("HttpOnly", "Secure", "SameSite=strict", "Path=/"):
        assert flag in cookie
    assert "Domain" not in cookie
    value = cookie.partition("=")[2].partition(";")[0].strip('"')
    headers["Cookie"] = f"{COOKIE}={value}"
    status, renewed, response = await client.post("refresh", None, headers=headers)
    assert status == 200
    assert renewed["refresh_token"] is None
    assert COOKIE in response.headers["Set-Cookie"]


@pytest.mark.parametrize(
    "changed",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"X-Parley-Client": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
@pytest.mark.parametrize("route", ["refresh", "logout"])
async def test_cs_1_cookie_from_another_origin_is_refused(client, ann, changed, route):
    """CS-1: a cookie counts only with origin and header of the web client."""
    tokens, _ = await client.login(ann)
    headers = {
        "Origin": client.process.origin,
        "X-Parley-Client": "web",
        "Cookie": f"{COOKIE}={tokens['refresh_token']}",
    } | changed
    status, answer, _ = await client.post(route, None, headers=headers)
    assert (status, answer["code"]) == (403, "origin_refused")
    body = {"refresh_token": tokens["refresh_token"]}
    status, _, _ = await client.post("refresh", body)
    assert status == 200
