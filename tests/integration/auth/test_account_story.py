"""Accounts and sessions through real HTTP, MongoDB, RabbitMQ and Valkey."""

import asyncio
import json

import pytest
from redis.asyncio import Redis

from libs.chassis.security import (
    AccessTokenVerifier,
    JwksSource,
    Principal,
    jwks_over_http,
)
from libs.kernel import SystemClock, new_id
from tests.integration.auth.conftest import PASSWORD, join

pytestmark = pytest.mark.integration


async def test_person_registers_verifies_and_uses_the_account(client, mailbox, email):
    """The whole first day of an account, seen from outside."""
    await join(client, mailbox, email)
    _, who = await client.login(email)
    status, me, _ = await client.call("GET", "/api/v1/me", principal=who)
    assert status == 200
    assert me["email"] == email
    assert me["status"] == "active"
    assert me["handle"] is None
    handle = f"ann-{new_id()[-12:]}"
    status, me, _ = await client.call(
        "PUT", "/api/v1/me/handle", {"handle": handle}, principal=who
    )
    assert (status, me["handle"]) == (200, handle)
    change = {"time_zone": "Europe/Rome", "status_text": "here"}
    status, me, _ = await client.call("PATCH", "/api/v1/me", change, principal=who)
    assert (status, me["time_zone"]) == (200, "Europe/Rome")
    for query in (f"handle={handle}", f"query={handle[:8]}", f"ids={who.user_id}"):
        status, page, _ = await client.call(
            "GET", f"/api/v1/users?{query}", principal=who
        )
        assert status == 200
        assert who.user_id in [user["user_id"] for user in page["items"]]
    status, profile, _ = await client.call(
        "GET", f"/api/v1/users/{who.user_id}", principal=who
    )
    assert status == 200
    assert set(profile) == {
        "user_id",
        "display_name",
        "handle",
        "time_zone",
        "status_text",
        "avatar_document_id",
        "is_active",
        "is_bot",
    }


async def test_events_are_on_their_exchanges(client, mailbox, ann):
    """A foreign consumer sees each fact as a CloudEvent."""
    await client.login(ann)
    await mailbox.seen(
        "user.created",
        "user.verified",
        "account.verification_requested",
        "session.started",
    )
    assert {event["source"] for event in mailbox.events} == {"/auth"}
    assert ann not in json.dumps(mailbox.events)


async def test_jw_1_access_token_verifies_with_the_published_keys(client, ann):
    """JW-1: what login hands out is what gateway and chat accept."""
    tokens, who = await client.login(ann)
    url = f"{client.process.url}/api/v1/auth/jwks.json"
    keys = JwksSource(jwks_over_http(client.http, url))
    issuer = client.process.stack.service_environment("auth")["AUTH_ISSUER"]
    claims = await AccessTokenVerifier(keys, issuer, SystemClock()).verify(
        tokens["access_token"]
    )
    assert (claims.user_id, claims.session_id) == (who.user_id, who.session_id)
    await keys.aclose()


async def test_pw_8_race_of_one_link_has_one_winner(client, mailbox, email):
    """PW-8: of 50 parallel redemptions on the real database one succeeds."""
    body = {"email": email, "password": PASSWORD, "display_name": "Ann"}
    await client.post("register", body)
    link = {"token": await mailbox.token(email), "password": PASSWORD}
    answers = await asyncio.gather(
        *(client.post("verify", link, address=f"10.50.{n}.1") for n in range(50))
    )
    statuses = sorted(status for status, _, _ in answers)
    assert statuses == [200] + [400] * 49
    codes = {answer["code"] for status, answer, _ in answers if status == 400}
    assert codes == {"verification_token_invalid"}


async def test_pw_8_race_of_one_address_opens_one_account(client, mailbox, email):
    """Twenty registrations at once make one account, and each answers the same."""
    body = {"email": email, "password": PASSWORD, "display_name": "Ann"}
    answers = await asyncio.gather(*(client.post("register", body) for _ in range(20)))
    assert {status for status, _, _ in answers} == {202}
    await mailbox.token(email)
    created = {e["subject"] for e in mailbox.events if e["type"] == "user.created"}
    assert len(created) == 1


async def test_rt_2_race_of_refreshes_has_one_child(client, mailbox, ann):
    """RT-2: 20 parallel refreshes on the real database share one child."""
    tokens, _ = await client.login(ann)
    body = {"refresh_token": tokens["refresh_token"]}
    answers = await asyncio.gather(*(client.post("refresh", body) for _ in range(20)))
    assert {status for status, _, _ in answers} == {200}
    children = {answer["refresh_token"] for _, answer, _ in answers}
    assert len(children) == 1
    status, _, _ = await client.post("refresh", {"refresh_token": children.pop()})
    assert status == 200
    assert "session.reused" not in {event["type"] for event in mailbox.events}


async def test_rt_1_replay_ends_the_family_within_a_second(client, mailbox, ann):
    """RT-1: grandparent back: thief and owner are out, everybody is told."""
    tokens, who = await client.login(ann)
    first = {"refresh_token": tokens["refresh_token"]}
    _, second, _ = await client.post("refresh", first)
    _, third, _ = await client.post(
        "refresh", {"refresh_token": second["refresh_token"]}
    )
    for token in (tokens, third):
        status, answer, _ = await client.post(
            "refresh", {"refresh_token": token["refresh_token"]}
        )
        assert (status, answer["code"]) == (401, "refresh_token_invalid")
    await mailbox.seen("session.reused", "session.revoked", session_id=who.session_id)


async def test_sr_1_revocation_is_told_on_the_channel_and_listed(client, stack, ann):
    """SR-1: Redis channel at once, the list for whoever missed it."""
    _, other = await client.login(ann)
    _, who = await client.login(ann)
    redis = Redis.from_url(stack.redis_url("gateway"))
    async with redis, redis.pubsub() as listening:
        await listening.subscribe("session.revoked")
        await listening.get_message(timeout=2)
        status, _, _ = await client.call(
            "DELETE", f"/api/v1/me/sessions/{other.session_id}", principal=who
        )
        assert status == 204
        message = await listening.get_message(timeout=2)
    assert json.loads(message["data"]) == {
        "session_id": other.session_id,
        "user_id": who.user_id,
    }
    status, listed, _ = await client.call(
        "GET", "/internal/sessions", principal=Principal.service()
    )
    assert status == 200
    assert other.session_id in [gone["session_id"] for gone in listed["revoked"]]
    status, again, _ = await client.call(
        "GET",
        "/internal/sessions",
        principal=Principal.service(),
        params={"changed_since": listed["as_of"]},
    )
    assert status == 200
    assert other.session_id in [gone["session_id"] for gone in again["revoked"]]
    status, page, _ = await client.call("GET", "/api/v1/me/sessions", principal=who)
    assert [own["session_id"] for own in page["items"]] == [who.session_id]
    assert page["items"][0]["is_current"]


async def test_sr_1_logout_ends_the_session(client, ann):
    """Signing out works with the access token's session, and is idempotent."""
    tokens, who = await client.login(ann)
    for _ in range(2):
        status, _, _ = await client.post("logout", None, principal=who)
        assert status == 204
    body = {"refresh_token": tokens["refresh_token"]}
    status, _, _ = await client.post("refresh", body)
    assert status == 401


async def test_handle_taken_is_a_conflict(client, mailbox, ann):
    """The unique index decides between two who want the same handle at once."""
    other = await join(client, mailbox, f"bob-{new_id()}@example.test", "Bob")
    _, first = await client.login(ann)
    _, second = await client.login(other)
    body = {"handle": f"h{new_id()[-12:]}"}
    answers = await asyncio.gather(
        *(
            client.call("PUT", "/api/v1/me/handle", body, principal=who)
            for who in (first, second)
        )
    )
    assert sorted(status for status, _, _ in answers) == [200, 409]
    codes = [answer.get("code") for _, answer, _ in answers]
    assert "handle_taken" in codes


async def test_directory_pages_to_the_end(client, mailbox, ann):
    """A page of one leads to the next, and cursors of other lists are refused."""
    await join(client, mailbox, f"bob-{new_id()}@example.test", "Bob Anson")
    _, who = await client.login(ann)
    seen, cursor = [], None
    while True:
        path = "/api/v1/users?query=an&limit=1" + (
            f"&cursor={cursor}" if cursor else ""
        )
        _, page, _ = await client.call("GET", path, principal=who)
        seen += [user["user_id"] for user in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None or len(seen) > 500:
            break
    assert len(seen) == len(set(seen))
    assert who.user_id in seen
