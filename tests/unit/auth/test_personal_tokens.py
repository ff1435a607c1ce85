"""Tokens for programs: restricted, with an end, and dead when they are to be."""

from datetime import timedelta

import jwt
import pytest

from libs.chassis.principals import Principal
from services.auth.domain import (
    RevokeReason,
    UserStatus,
)
from services.auth.domain.errors import (
    PersonalTokenExpiryError,
    PersonalTokenInvalidError,
    PersonalTokenLimitError,
    PersonalTokenMissingError,
    ScopeInsufficientError,
    ScopesInvalidError,
    StepUpRequiredError,
    UserMissingError,
)
from services.auth.service import TokenWish, hash_personal_token
from tests.unit.auth.conftest import AUTH

SOCKET = ("conversations:read", "conversations:write")


@pytest.fixture
async def owner(house):
    """Ids of a user who just signed in."""
    user_id = await house.join()
    return user_id, (await house.login()).session_id


async def _make(house, owner, scopes=SOCKET, days=30):
    wish = TokenWish("bot", scopes, days)
    return await house.state["personal_tokens"].create(*owner, wish)


async def test_a_token_speaks_for_its_user_within_its_scopes(house, owner):
    """256 bits behind a prefix; the hash alone is kept; its use is remembered."""
    tokens = house.state["personal_tokens"]
    made = await _make(house, owner)
    assert made.text.startswith("parley_pat_")
    assert len(made.text) == len("parley_pat_") + 43
    assert made.text not in repr(made)
    user, token = await tokens.resolve(hash_personal_token(made.text))
    assert (user.user_id, token.scopes) == (owner[0], SOCKET)
    [listed] = (await tokens.list_own(owner[0], after=None, limit=9)).items
    assert listed.last_used_at == house.clock.now()
    [created] = house.adapters.stores.audit.of("token.created")
    assert created.target_id == made.token.token_id


async def test_mf_6_a_new_token_needs_a_fresh_proof(house, owner):
    """MF-6: a stolen session makes no token that outlives it."""
    house.clock.advance(timedelta(minutes=6))
    with pytest.raises(StepUpRequiredError):
        await _make(house, owner)


async def test_mf_6_a_token_is_no_fresh_proof(house, owner):
    """MF-6: its id stands for a session nowhere that asks for a proof."""
    made = await _make(house, owner)
    with pytest.raises(StepUpRequiredError):
        await _make(house, (owner[0], made.token.token_id))


@pytest.mark.parametrize("scopes", [(), ("root",), ("files:read", "*")])
async def test_a_token_has_known_scopes(house, owner, scopes):
    """At least one, and none that nothing knows."""
    with pytest.raises(ScopesInvalidError):
        await _make(house, owner, scopes)


@pytest.mark.parametrize("days", [0, 366])
async def test_a_token_has_an_end_within_the_installations_limit(house, owner, days):
    """No token for ever."""
    with pytest.raises(PersonalTokenExpiryError):
        await _make(house, owner, days=days)


async def test_a_token_ends_at_its_end(house, owner):
    """To the second."""
    made = await _make(house, owner, days=1)
    house.clock.advance(timedelta(days=1))
    with pytest.raises(PersonalTokenInvalidError):
        await house.state["personal_tokens"].resolve(made.token.token_hash)


async def test_a_user_has_fifty_tokens(house, owner):
    """The next one is refused until one ends."""
    for _ in range(50):
        made = await _make(house, owner)
    with pytest.raises(PersonalTokenLimitError):
        await _make(house, owner)
    await house.state["personal_tokens"].revoke_own(owner[0], made.token.token_id)
    await _make(house, owner)


async def test_sr_1_a_revoked_token_is_told_as_a_session_is(house, owner):
    """SR-1: by channel, event and list, under the token's id; then it is dead."""
    tokens, made = house.state["personal_tokens"], await _make(house, owner)
    token_id = made.token.token_id
    for _ in range(2):
        await tokens.revoke_own(owner[0], token_id)
    with pytest.raises(PersonalTokenInvalidError):
        await tokens.resolve(made.token.token_hash)
    assert [one.session_id for one in house.announcer.announced] == [token_id]
    control = house.state["session_control"]
    revoked = (await control.revoked_since(None, None)).revoked
    assert [one.session_id for one in revoked] == [token_id]
    events = [event for event in house.bus.published if hasattr(event, "reason")]
    assert [event.session_id for event in events] == [token_id]
    live = (await control.list_own(owner[0], after=None, limit=9)).items
    assert [one.session_id for one in live] == [owner[1]]


async def test_a_token_is_ended_by_its_user_alone(house, owner):
    """Another's token is as none."""
    made = await _make(house, owner)
    bob = await house.join("bob@example.test", name="Bob")
    with pytest.raises(PersonalTokenMissingError):
        await house.state["personal_tokens"].revoke_own(bob, made.token.token_id)


async def test_sr_6_all_tokens_of_a_user_end_together(house, owner):
    """SR-6: what a suspension calls; each is told."""
    made = [await _make(house, owner) for _ in range(3)]
    control = house.state["session_control"]
    ended = await house.bus.run_transaction(
        lambda tx: control.token_ends.end_all_in(tx, owner[0], RevokeReason.SUSPENDED)
    )
    assert {one.session_id for one in ended} == {one.token.token_id for one in made}
    for one in made:
        with pytest.raises(PersonalTokenInvalidError):
            await house.state["personal_tokens"].resolve(one.token.token_hash)


@pytest.mark.parametrize(
    ("reason", "is_dead"),
    [
        (RevokeReason.SUSPENDED, True),
        (RevokeReason.DELETED, True),
        (RevokeReason.PASSWORD_CHANGED, False),
        (RevokeReason.MFA_CHANGED, False),
    ],
)
async def test_sr_6_tokens_end_with_the_account_alone(house, owner, reason, is_dead):
    """SR-6: a suspension ends them with the sessions, a new password does not."""
    made = await _make(house, owner)
    control = house.state["session_control"]
    ended = await house.bus.run_transaction(
        lambda tx: control.end_others_in(tx, owner[0], owner[1], reason)
    )
    assert [one.session_id for one in ended] == [made.token.token_id] * is_dead


async def test_mf_3_a_token_does_not_get_around_a_required_factor(
    house, owner, settings
):
    """MF-3: where a factor is required and none is set up, the token rests."""
    made = await _make(house, owner)
    required = settings.model_copy(update={"second_factor_roles": ("member",)})
    house.set_up_anew(required)
    with pytest.raises(PersonalTokenInvalidError):
        await house.state["personal_tokens"].resolve(made.token.token_hash)


async def test_a_socket_gets_a_short_token_with_the_same_restriction(house, owner):
    """The claims name the scopes, and the personal token as session."""
    made = await _make(house, owner)
    access = await house.state["personal_tokens"].exchange(made.text)
    claims = jwt.decode(access.access_token, options={"verify_signature": False})
    assert claims["sid"] == made.token.token_id
    assert claims["scope"] == "conversations:read conversations:write"
    assert access.expires_in == 300
    house.clock.advance(timedelta(days=30, seconds=-40))
    last = await house.state["personal_tokens"].exchange(made.text)
    assert last.expires_in == 40
    house.clock.advance(timedelta(days=-30, seconds=40))
    reader = await _make(house, owner, ("conversations:read",))
    with pytest.raises(ScopeInsufficientError):
        await house.state["personal_tokens"].exchange(reader.text)
    with pytest.raises(PersonalTokenInvalidError):
        await house.state["personal_tokens"].exchange("parley_pat_" + "x" * 43)


async def test_tokens_over_the_routes(house, api, ann):
    """Made, shown once, listed in pages, resolved for the gateway alone, ended."""
    body = {"name": "bot", "scopes": list(SOCKET), "expires_in_days": 7}
    made = (await api("POST", "/api/v1/me/tokens", body, who=ann)).json()
    await api("POST", "/api/v1/me/tokens", body, who=ann)
    page = (await api("GET", "/api/v1/me/tokens?limit=1", who=ann)).json()
    assert [one["token_id"] for one in page["items"]] == [made["token_id"]]
    assert "token" not in page["items"][0]
    assert page["next_cursor"]
    question = {"token_hash": hash_personal_token(made["token"])}
    path = "/internal/personal-tokens"
    answer = await api("POST", path, question, who=Principal.service())
    assert answer.json()["scopes"] == list(SOCKET)
    assert (await api("POST", path, question, who=ann)).status == 403
    exchanged = await api("POST", f"{AUTH}/token", {"token": made["token"]})
    assert exchanged.json()["session_id"] == made["token_id"]
    path = f"/api/v1/me/tokens/{made['token_id']}"
    assert (await api("DELETE", path, who=ann)).status == 204
    refused = await api("POST", f"{AUTH}/token", {"token": made["token"]})
    assert (refused.status, refused.json()["code"]) == (401, "token_invalid")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/me/tokens"),
        ("POST", "/api/v1/me/tokens"),
        ("GET", "/api/v1/me/sessions"),
        ("GET", "/api/v1/me/mfa"),
        ("GET", "/api/v1/me/identities"),
        ("POST", "/api/v1/me/mfa/totp"),
        ("POST", "/api/v1/me/mfa/passkeys/options"),
        ("POST", "/api/v1/auth/step-up"),
        ("POST", "/api/v1/invites"),
        ("GET", "/api/v1/invites"),
        ("DELETE", "/api/v1/invites/x"),
        ("POST", "/api/v1/auth/invite"),
        ("POST", "/api/v1/auth/register"),
        ("POST", "/api/v1/auth/verification"),
        ("POST", "/api/v1/auth/email"),
        ("POST", "/api/v1/me/deletion"),
    ],
)
async def test_az_1_no_token_reaches_a_route_of_security(api, ann, method, path):
    """AZ-1: whatever its scopes, and whatever the gateway's table says."""
    scoped = Principal(
        ann.user_id, ann.session_id, ann.roles, ("admin", "profile:write")
    )
    refused = await api(method, path, {"password": "x"}, who=scoped)
    assert (refused.status, refused.json()["code"]) == (403, "insufficient_scope")
    assert (await api("GET", "/api/v1/me", who=scoped)).status == 200


async def test_az_1_a_token_reads_administration_and_does_nothing(house, api):
    """AZ-1: with the scope ``admin``, where the role allows it; an act never."""
    admin = await house.person("admin")
    victim = await house.person("member")

    async def call(method, path, *scopes):
        who = Principal(admin.user_id, admin.session_id, ("admin",), scopes)
        answer = await api(method, path, {"reason": "no reason"}, who=who)
        return answer.status, answer.json().get("code")

    users = "/api/v1/admin/users"
    assert await call("GET", users, "admin") == (200, None)
    assert await call("GET", "/api/v1/admin/roles", "admin") == (200, None)
    refused = (403, "insufficient_scope")
    for read in (users, "/api/v1/admin/erasures"):
        assert await call("GET", read, "profile:read") == refused
    for act in (f"{users}/{victim.user_id}/suspend", f"{users}/lookup"):
        assert await call("POST", act, "admin") == refused
    for rule in ("roles/support", "second-factor-policy"):
        assert await call("PUT", f"/api/v1/admin/{rule}", "admin") == refused


async def test_a_token_is_made_by_who_is_active(house, owner, monkeypatch):
    """The user is pinned: parallel tokens are counted, a suspended one makes none."""
    pinned = house.pins(monkeypatch)
    await _make(house, owner)
    assert owner[0] in pinned
    await house.change(owner[0], status=UserStatus.SUSPENDED)
    with pytest.raises(UserMissingError):
        await _make(house, owner)
