"""Administration through real HTTP and MongoDB: races, the command, the channel."""

import asyncio
import json
import os
import sys
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from libs.chassis.security import Principal
from tests.integration.auth.conftest import forget_policies, join
from tests.support.authenticator import Authenticator

pytestmark = pytest.mark.integration

ADMIN = "/api/v1/admin/users"
WHY = {"reason": "asked for by the works council"}


async def _command(stack, *words):
    """Run one of auth's commands; return its code and its line of JSON."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.auth",
        *words,
        env=dict(os.environ) | stack.service_environment("auth"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await child.communicate()
    assert child.returncode in (0, 1), err
    return child.returncode, json.loads(out)


@pytest.fixture
async def admin(client, mailbox, stack, email):
    """Somebody whom the command made an admin."""
    address = await join(client, mailbox, f"admin-{email}", name="Root")
    code, made = await _command(stack, "admin", "appoint", address)
    assert (code, made["roles"]) == (0, ["admin"])
    _, who = await client.login(address)
    assert who.user_id == made["user_id"]
    return replace(who, roles=("admin",))


async def test_az_7_first_admin_is_made_by_command(client, admin, stack):
    """AZ-7: the command appoints, lists, is recorded, and the API follows at once."""
    code, listed = await _command(stack, "admin", "list")
    assert code == 0
    assert admin.user_id in [one["user_id"] for one in listed["admins"]]
    path = f"{ADMIN}/{admin.user_id}/audit"
    status, page, _ = await client.call("GET", path, principal=admin)
    assert status == 200
    actions = {(item["action"], item["actor_id"]) for item in page["items"]}
    assert ("user.roles_changed", "operator") in actions


async def test_az_7_of_two_admins_who_demote_each_other_one_stays(
    client, mailbox, admin, email
):
    """AZ-7: ten rounds of parallel demotions on the real database leave an admin."""
    other_address = await join(client, mailbox, f"second-{email}", name="Second")
    _, other = await client.login(other_address)
    admins = [admin, replace(other, roles=("admin",))]
    body = {"roles": ["admin"], **WHY}
    status, answer, _ = await client.call(
        "PUT", f"{ADMIN}/{other.user_id}/roles", body, principal=admin
    )
    assert status == 200, answer
    demote = {"roles": ["member"], **WHY}
    answers = await asyncio.gather(
        *(
            client.call(
                "PUT", f"{ADMIN}/{target.user_id}/roles", demote, principal=actor
            )
            for actor, target in (admins, reversed(admins))
            for _ in range(5)
        )
    )
    assert {status for status, _, _ in answers} <= {200, 403, 409}
    roles = []
    for who in admins:
        _, me, _ = await client.call("GET", "/api/v1/me", principal=who)
        roles.append(me["roles"])
    assert sorted(roles) == [["admin"], ["member"]]


async def test_sr_6_suspension_is_told_within_a_second(
    client, mailbox, admin, stack, ann
):
    """SR-6: channel and event at once, refresh refused, others find nobody."""
    tokens, who = await client.login(ann)
    async with (
        Redis.from_url(stack.redis_url("gateway")) as redis,
        redis.pubsub() as listening,
    ):
        await listening.subscribe("session.revoked")
        await listening.get_message(timeout=2)
        path = f"{ADMIN}/{who.user_id}/suspend"
        status, account, _ = await client.call("POST", path, WHY, principal=admin)
        assert (status, account["status"]) == (200, "suspended")
        message = await listening.get_message(timeout=1)
    assert json.loads(message["data"])["session_id"] == who.session_id
    await mailbox.seen("session.revoked", session_id=who.session_id)
    body = {"refresh_token": tokens["refresh_token"]}
    status, _, _ = await client.post("refresh", body)
    assert status == 401


async def test_no_session_survives_a_suspension_in_a_race(client, mailbox, admin, ann):
    """SR-6: sign-ins at the same moment get no session that lives on."""
    _, who = await client.login(ann)
    body = {"email": ann, "password": "correct horse battery"}
    path = f"{ADMIN}/{who.user_id}/suspend"
    await asyncio.gather(
        *(client.post("login", body) for _ in range(6)),
        client.call("POST", path, WHY, principal=admin),
        *(client.post("login", body) for _ in range(6)),
    )
    path = f"{ADMIN}/{who.user_id}/sessions"
    status, page, _ = await client.call("GET", path, principal=admin)
    assert (status, page["items"]) == (200, [])


@pytest.fixture
async def own_policy(stack):
    """A rule of this test alone."""
    yield
    await forget_policies(stack)


@pytest.mark.usefixtures("own_policy")
async def test_mf_3_a_rule_is_met_at_the_next_sign_in(client, admin, ann, stack):
    """MF-3: stored in the database, so every instance asks; a passkey answers it."""
    _, who = await client.login(ann)
    path = f"{ADMIN}/{who.user_id}/roles"
    body = {"roles": ["guest"], **WHY}
    assert (await client.call("PUT", path, body, principal=admin))[0] == 200
    rule = "/api/v1/admin/second-factor-policy"
    body = {"email": ann, "password": "correct horse battery"}
    for roles, is_asked in ((["guest"], True), ([], False)):
        order = {"roles": roles, **WHY}
        status, told, _ = await client.call("PUT", rule, order, principal=admin)
        assert (status, told["roles"]) == (200, roles)
        _, entered, _ = await client.post("login", body)
        assert entered["mfa_required"] is is_asked
        if is_asked:
            pending = {"pending_token": entered["pending_token"]}
    _, offered, _ = await client.post("mfa/passkeys/options", pending)
    environment = stack.service_environment("auth")
    made = Authenticator(environment["AUTH_PUBLIC_URL"]).create(offered["options"])
    answer = pending | {"name": "key", "credential": made}
    status, enrolled, _ = await client.post("mfa/passkeys", answer)
    assert (status, len(enrolled["recovery_codes"])) == (200, 10)
    _, entered, _ = await client.post("login", body)
    assert entered["factors"] == ["passkey", "recovery_code"]


async def test_a_voided_password_opens_nothing_in_a_race(client, mailbox, admin, ann):
    """SR-1: sign-ins at the same moment get no session that lives on; mail tells."""
    _, who = await client.login(ann)
    body = {"email": ann, "password": "correct horse battery"}
    path = f"{ADMIN}/{who.user_id}/password-reset"
    answers = await asyncio.gather(
        *(client.post("login", body) for _ in range(4)),
        client.call("POST", path, WHY, principal=admin),
        *(client.post("login", body) for _ in range(4)),
    )
    assert answers[4][0] == 200, answers[4]
    path = f"{ADMIN}/{who.user_id}/sessions"
    status, page, _ = await client.call("GET", path, principal=admin)
    assert (status, page["items"]) == (200, [])
    token = await mailbox.token(ann, "account.password_voided")
    new = "quite another sentence"
    reset = {"token": token, "password": new}
    assert (await client.post("reset", reset))[0] == 204
    await client.login(ann, password=new)


async def test_accounts_are_found_by_every_criterion(client, admin, ann, email):
    """Search by address, name, status and role; members are refused."""
    _, who = await client.login(ann)
    status, found, _ = await client.call(
        "POST", f"{ADMIN}/lookup", {"email": ann.upper()}, principal=admin
    )
    assert (status, found["email"]) == (200, email)
    for query in ("query=ann&limit=200", "role=member&status=active&limit=200"):
        seen, cursor = [], ""
        while who.user_id not in seen and cursor is not None:
            path = f"{ADMIN}?{query}" + (f"&cursor={cursor}" if cursor else "")
            status, page, _ = await client.call("GET", path, principal=admin)
            assert status == 200
            assert all("email" not in item for item in page["items"])
            seen += [item["user_id"] for item in page["items"]]
            cursor = page["next_cursor"]
        assert who.user_id in seen
    status, refused, _ = await client.call("GET", ADMIN, principal=who)
    assert (status, refused["code"]) == (403, "not_permitted")
    forged = Principal(who.user_id, who.session_id, ("admin",))
    status, refused, _ = await client.call("GET", ADMIN, principal=forged)
    assert (status, refused["code"]) == (403, "not_permitted")


async def test_of_twenty_parallel_new_tokens_none_is_beyond_the_limit(
    client, mailbox, ann
):
    """A user has fifty tokens, however many ask for the last five at once."""
    _, who = await client.login(ann)
    body = {"name": "bot", "scopes": ["files:read"]}

    async def make():
        status, answer, _ = await client.call(
            "POST", "/api/v1/me/tokens", body, principal=who
        )
        return status, answer.get("code")

    for _ in range(45):
        assert await make() == (201, None)
    answers = await asyncio.gather(*(make() for _ in range(20)))
    assert answers.count((201, None)) == 5
    assert answers.count((409, "token_limit")) == 15
