"""Passwords, addresses and invitations through real HTTP and MongoDB."""

import asyncio
import json
import time

import pytest
from pymongo import AsyncMongoClient
from redis.asyncio import Redis

from libs.chassis.security import Principal
from libs.kernel import new_id
from tests.integration.auth.conftest import PASSWORD, join

pytestmark = pytest.mark.integration

NEW = "staple battery horse"
RESET = "account.reset_requested"
CHANGE = "account.email_change_requested"
INVITED = "account.invited"


async def _race(client, route, body):
    """Use one link from 50 places at once; return how often each status came."""
    answers = await asyncio.gather(
        *(client.post(route, body, address=f"10.51.{n}.1") for n in range(50))
    )
    statuses = [status for status, _, _ in answers]
    codes = {answer["code"] for status, answer, _ in answers if status == 400}
    assert codes == {"link_invalid"}
    return sum(status < 300 for status in statuses), statuses.count(400)


async def _reset_token(client, mailbox, email):
    status, _, _ = await client.post("forgot", {"email": email})
    assert status == 202
    return await mailbox.token(email, RESET)


async def test_pw_8_race_of_one_reset_link_has_one_winner(client, mailbox, ann):
    """PW-8: of 50 parallel redemptions on the real database one succeeds."""
    token = await _reset_token(client, mailbox, ann)
    body = {"token": token, "password": NEW}
    assert await _race(client, "reset", body) == (1, 49)
    await client.login(ann, NEW)


async def test_pw_8_race_of_one_address_link_has_one_winner(client, mailbox, ann):
    """PW-8: the same for the change of the address; both addresses are told."""
    _, who = await client.login(ann)
    new_email = f"new-{new_id()}@example.test"
    status, _, _ = await client.call(
        "PUT", "/api/v1/me/email", {"email": new_email}, principal=who
    )
    assert status == 202
    token = await mailbox.token(new_email, CHANGE, field="new_email")
    assert await mailbox.token(ann, CHANGE, field="old_email") == token
    assert await _race(client, "email", {"token": token}) == (1, 49)
    await mailbox.seen("account.email_changed", "user.updated")
    await client.login(new_email)


async def test_pw_8_race_of_one_invitation_has_one_winner(
    client, mailbox, ann, email, stack
):
    """PW-8: the same for an invitation; it opens one account, verified."""
    _, who = await client.login(ann)
    async with AsyncMongoClient(stack.admin_mongo_url) as mongo:
        users, given = mongo["parley_auth"]["users"], {"$set": {"roles": ["admin"]}}
        await users.update_one({"_id": who.user_id}, given)
    admin = Principal(who.user_id, who.session_id, ("admin", "member"))
    invited = f"bob-{email}"
    status, made, _ = await client.call(
        "POST", "/api/v1/invites", {"email": invited, "role": "guest"}, principal=admin
    )
    assert (status, made["email"]) == (201, invited)
    token = await mailbox.token(invited, INVITED)
    body = {"token": token, "password": NEW, "display_name": "Bob"}
    assert await _race(client, "invite", body) == (1, 49)
    _, bob = await client.login(invited, NEW)
    _, me, _ = await client.call("GET", "/api/v1/me", principal=bob)
    assert (me["status"], me["roles"]) == ("active", ["guest"])


async def test_pw_5_refused_password_does_not_spend_the_link(client, mailbox, ann):
    """PW-5, PW-8: the transaction falls with the refusal; the link still works."""
    token = await _reset_token(client, mailbox, ann)
    for password, status in (("Passwordstandard", 400), (ann, 400), ("x" * 14, 422)):
        found, _, _ = await client.post("reset", {"token": token, "password": password})
        assert found == status
    status, _, _ = await client.post("reset", {"token": token, "password": NEW})
    assert status == 204


async def test_pw_7_change_ends_other_sessions_within_a_second(client, stack, ann):
    """PW-7: told on the channel at once; refresh is refused; the own session stays."""
    other, gone = await client.login(ann)
    own, who = await client.login(ann)
    redis = Redis.from_url(stack.redis_url("gateway"))
    async with redis, redis.pubsub() as listening:
        await listening.subscribe("session.revoked")
        await listening.get_message(timeout=2)
        body = {"current_password": PASSWORD, "new_password": NEW}
        status, answer, _ = await client.call(
            "PUT", "/api/v1/me/password", body, principal=who
        )
        assert status == 204, answer
        begun = time.monotonic()
        message = await listening.get_message(timeout=2)
        assert time.monotonic() - begun < 1
    assert json.loads(message["data"])["session_id"] == gone.session_id
    for tokens, expected in ((other, 401), (own, 200)):
        body = {"refresh_token": tokens["refresh_token"]}
        status, _, _ = await client.post("refresh", body)
        assert status == expected


async def test_pw_8_link_never_follows_the_host_header(client, mailbox, ann):
    """PW-8: events carry a token, no address: a hostile Host changes no link."""
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    status, _, _ = await client.post("forgot", {"email": ann}, headers=headers)
    assert status == 202
    assert await mailbox.token(ann, RESET)
    assert "evil" not in json.dumps(mailbox.events)


async def test_mf_6_address_change_needs_a_session(client, ann):
    """MF-6: a principal without a fresh session is told to prove who it is."""
    _, who = await client.login(ann)
    stranger = Principal(who.user_id, new_id(), ("member",))
    body = {"email": "new@example.test"}
    status, answer, _ = await client.call(
        "PUT", "/api/v1/me/email", body, principal=stranger
    )
    assert (status, answer["code"]) == (403, "step_up_required")


async def test_invitations_in_pages_and_revoked(client, mailbox, ann, email):
    """Listing pages to the end; revoking is for the inviter and administrators."""
    _, who = await client.login(ann)
    admin = Principal(who.user_id, who.session_id, ("admin",))
    ids = []
    for number in range(3):
        body = {"email": f"{number}-{email}"}
        _, made, _ = await client.call("POST", "/api/v1/invites", body, principal=admin)
        ids.append(made["invite_id"])
    path, seen = "/api/v1/invites?limit=2", []
    for _ in range(2):
        _, page, _ = await client.call("GET", path, principal=who)
        seen += [item["invite_id"] for item in page["items"]]
        path = f"/api/v1/invites?limit=2&cursor={page['next_cursor']}"
    assert seen == ids
    stranger = Principal(new_id(), new_id(), ("member",))
    path = f"/api/v1/invites/{ids[0]}"
    for principal, expected in ((stranger, 404), (who, 204), (who, 404)):
        status, _, _ = await client.call("DELETE", path, principal=principal)
        assert status == expected
    status, answer, _ = await client.call(
        "POST", "/api/v1/invites", {"email": email}, principal=who
    )
    assert (status, answer["code"]) == (403, "invites_refused")


async def test_taken_address_is_refused_by_the_index(client, mailbox, ann, email):
    """Two accounts race for one address: one has it, the other's link is invalid."""
    other = await join(client, mailbox, f"bob-{email}", "Bob")
    wanted = f"wanted-{email}"
    tokens = []
    for owner in (ann, other):
        _, who = await client.login(owner)
        await client.call("PUT", "/api/v1/me/email", {"email": wanted}, principal=who)
        tokens.append(await mailbox.token(wanted, CHANGE, field="new_email"))
    answers = await asyncio.gather(
        *(
            client.post("email", {"token": token}, address=f"10.52.{n}.1")
            for n, token in enumerate(tokens)
        )
    )
    assert sorted(status for status, _, _ in answers) == [200, 400]
