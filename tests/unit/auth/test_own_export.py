"""What auth gives of a person: everything it holds, and no secret among it."""

import json
from datetime import timedelta

import pytest

from libs.chassis.principals import Principal
from services.auth.service import REINSTATE, SUSPEND, TokenWish
from tests.unit.auth.conftest import EMAIL, MAILED

PATH = "/api/v1/me/export/auth"
assert MAILED


def _parsed(answer):
    lines = [json.loads(line) for line in answer.body.decode().splitlines()]
    return lines, [line["data"] for line in lines]


def _of(lines, kind):
    return [line["data"] for line in lines if line["kind"] == kind]


@pytest.fixture
async def ann_with_all(house, api, ann):
    """Somebody of whom auth holds something of every kind."""
    await api("PATCH", "/api/v1/me/preferences", {"theme": "dark"}, who=ann)
    tokens = house.state["personal_tokens"]
    for number in range(3):
        wish = TokenWish(f"token {number}", ("files:read",), 30)
        await tokens.create(ann.user_id, ann.session_id, wish)
    await house.login()
    admin = Principal(ann.user_id, ann.session_id, ("admin",))
    body = {"email": "bob@example.test", "role": "guest", "locale": "de"}
    await api("POST", "/api/v1/invites", body, who=admin)
    return ann


async def test_everything_that_is_held_is_given(api, house, ann_with_all):
    """Account, choices, factors, sessions, tokens, invitations and the record."""
    answer = await api("GET", PATH, who=ann_with_all)
    assert answer.status == 200
    assert answer.header("content-type") == "application/x-ndjson"
    lines, _ = _parsed(answer)
    [account] = _of(lines, "account")
    assert (account["email"], account["user_id"]) == (EMAIL, ann_with_all.user_id)
    assert _of(lines, "preferences")[0]["theme"] == "dark"
    assert _of(lines, "second_factors")[0]["has_totp"] is False
    assert len(_of(lines, "session")) == 2
    assert [one["name"] for one in _of(lines, "personal_token")] == [
        "token 0",
        "token 1",
        "token 2",
    ]
    assert _of(lines, "invitation")[0]["email"] == "bob@example.test"
    actions = {one["action"] for one in _of(lines, "audit_record")}
    assert {"session.started", "token.created", "user.exported"} <= actions
    assert lines[-1] == {"kind": "end", "data": {"count": len(lines) - 2}}


async def test_no_secret_is_given(api, house, ann_with_all):
    """Neither a hash of one nor another's word: MF-4, MA-2."""
    user_id = ann_with_all.user_id
    admin = await house.person("admin", name="Root")
    why = "a private word among administrators"
    for act in (SUSPEND, REINSTATE):
        await house.state["administration"].move(act, admin, user_id, why)
    who = Principal(user_id, (await house.login()).session_id, ("member",))
    answer = await api("GET", PATH, who=who)
    text = answer.body.decode()
    lines, _ = _parsed(answer)
    done = [one for one in _of(lines, "audit_record") if not one["actor_id"]]
    assert {"user.suspended", "user.reinstated"} <= {one["action"] for one in done}
    assert why not in text
    assert admin.user_id not in text
    stores = house.adapters.stores
    session = await stores.sessions.get(who.session_id, None)
    [token, *_] = await stores.personal_tokens.list_live(
        user_id, at=house.clock.now(), after=None, limit=1
    ) or [None]
    secrets = [session.token_hash, await stores.credentials.get(user_id, None)]
    assert token is None  # the suspension ended them
    assert not [secret for secret in secrets if secret in text]
    for word in ("hash", "seed", "secret", "pepper"):
        assert f'{word}"' not in text


async def test_mf_6_an_export_needs_a_fresh_proof(api, house, ann):
    """MF-6: a stolen session does not carry an account away."""
    house.clock.advance(timedelta(minutes=6))
    refused = await api("GET", PATH, who=ann)
    assert (refused.status, refused.json()["code"]) == (403, "step_up_required")


async def test_az_1_no_personal_token_exports(api, ann):
    """AZ-1: whatever its scopes."""
    scoped = Principal(ann.user_id, ann.session_id, ann.roles, ("profile:read",))
    refused = await api("GET", PATH, who=scoped)
    assert (refused.status, refused.json()["code"]) == (403, "insufficient_scope")
