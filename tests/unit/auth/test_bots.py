"""Bots: accounts of programs, under administrators, without any way to sign in."""

from datetime import timedelta

import pytest

from libs.chassis.principals import Principal
from libs.events.catalog import UserCreated, UserUpdated, UserVerified
from services.auth.domain import (
    Actor,
    AuthMethod,
    BotWish,
    CustomRole,
    EmailAddress,
    Permission,
    UserStatus,
)
from services.auth.domain.errors import (
    BotMissingError,
    CredentialsInvalidError,
    HandleTakenError,
    NotPermittedError,
    PersonalTokenInvalidError,
    PersonalTokenLimitError,
    PersonalTokenMissingError,
    RolesInvalidError,
    ScopesInvalidError,
    StepUpRequiredError,
    TargetOutranksError,
)
from services.auth.service import DEACTIVATE, SUSPEND, TokenWish
from tests.unit.auth.conftest import AUTH, PASSWORD

SOCKET = ("conversations:read", "conversations:write")
WHY = "for the build"


@pytest.fixture
async def admin(house):
    """An admin who just signed in."""
    return await house.person("admin", name="Root")


@pytest.fixture
async def bot(house, admin):
    """A bot of the admin."""
    wish = BotWish("Builder", "builder", "member")
    return await house.state["bots"].create(admin, wish, WHY)


async def _token(house, actor, bot, scopes=SOCKET, days=30):
    wish = TokenWish("ci", scopes, days)
    return await house.state["bots"].create_token(actor, bot.user_id, wish, WHY)


async def test_a_bot_is_active_at_once_and_told_as_a_bot(house, admin, bot):
    """No address, no verification, an owner, a record; others learn what it is."""
    stored = await house.user(bot.user_id)
    assert stored == bot
    assert (bot.is_bot, bot.owner_id, bot.roles) == (True, admin.user_id, ("member",))
    assert bot.may_sign_in
    assert not bot.may_have_sessions
    assert bot.email.is_absent
    [created] = [e for e in house.bus.published_of(UserCreated) if e.is_bot]
    [updated] = house.bus.published_of(UserUpdated)
    assert (updated.is_bot, updated.handle) == (True, "builder")
    assert created.revision < updated.revision == bot.revision
    verified = [event.user_id for event in house.bus.published_of(UserVerified)]
    assert bot.user_id not in verified
    [record] = house.adapters.stores.audit.of("bot.created")
    assert (record.actor_id, record.target_id) == (admin.user_id, bot.user_id)


@pytest.mark.parametrize("kind", ["member", "moderator"])
async def test_az_1_bots_are_made_by_who_may(house, kind):
    """AZ-1: and the refusal is recorded."""
    person = await house.person(kind)
    wish = BotWish("Builder", None, "guest")
    with pytest.raises(NotPermittedError):
        await house.state["bots"].create(person, wish, WHY)
    [record] = house.adapters.stores.audit.of("bot.created")
    assert record.result == "refused"


async def test_mf_6_a_bot_and_its_token_need_a_fresh_proof(house, admin, bot):
    """MF-6: a stolen session makes neither."""
    house.clock.advance(timedelta(minutes=6))
    with pytest.raises(StepUpRequiredError):
        await house.state["bots"].create(admin, BotWish("B", None, "guest"), WHY)
    with pytest.raises(StepUpRequiredError):
        await _token(house, admin, bot)


@pytest.mark.parametrize("role", ["admin", "moderator", "support"])
async def test_az_7_no_bot_is_more_than_a_member(house, admin, bot, role):
    """AZ-7: neither from the beginning nor later, nor by a custom role."""
    wish = BotWish("Boss", None, role)
    with pytest.raises(RolesInvalidError):
        await house.state["bots"].create(admin, wish, WHY)
    power = CustomRole(
        "support", "", frozenset({Permission.READ_USERS}), house.clock.now()
    )
    await house.adapters.stores.roles.put(power, None)
    roles = ["member", role] if role == "support" else [role]
    with pytest.raises(RolesInvalidError):
        await house.state["administration"].change_roles(admin, bot.user_id, roles, WHY)
    assert (await house.user(bot.user_id)).roles == ("member",)


async def _keeper(house, *permissions):
    """Return somebody whose custom role allows these."""
    role = CustomRole("keeper", "", frozenset(permissions), house.clock.now())
    await house.adapters.stores.roles.put(role, None)
    return await house.person("member", "keeper")


async def test_az_7_a_keeper_of_bots_acts_below_themselves(house, admin, bot):
    """AZ-7: a custom role makes bots and their tokens; people are out of its reach."""
    keeper = await _keeper(house, Permission.MANAGE_BOTS)
    own = await house.state["bots"].create(keeper, BotWish("K", None, "member"), WHY)
    assert own.owner_id == keeper.user_id
    await _token(house, keeper, own)
    with pytest.raises(TargetOutranksError):
        await _token(house, keeper, await house.user(admin.user_id))
    person = await house.person("guest")
    for actor in (keeper, admin):
        with pytest.raises(BotMissingError):
            await _token(house, actor, await house.user(person.user_id))


async def test_a_handle_is_one_accounts(house, admin, bot):
    """A bot does not take a person's name for mentions, nor another bot's."""
    with pytest.raises(HandleTakenError):
        await house.state["bots"].create(
            admin, BotWish("Other", "builder", "guest"), WHY
        )


async def test_nobody_signs_in_to_a_bot(house, bot):
    """Whatever would prove it: the one entrance is closed; no address finds it."""
    entrance = house.state["sign_in"].entrance
    with pytest.raises(CredentialsInvalidError):
        await entrance.enter(bot, house.device(), (AuthMethod.PASSWORD,))
    users = house.adapters.stores.users
    assert await users.find_by_email(EmailAddress("x@y.test", "x@y.test"), None) is None
    assert await house.adapters.stores.credentials.get(bot.user_id, None) is None
    before = len(house.mails)
    for email in ("builder", f"none:{bot.user_id}@example.test"):
        with pytest.raises(CredentialsInvalidError):
            await house.login(email, password=PASSWORD)
    assert len(house.mails) == before


async def test_a_bots_token_works_without_a_second_factor(house, admin, bot, settings):
    """Where everybody must have one: nobody signs in to a bot, so it has none."""
    made = await _token(house, admin, bot)
    required = settings.model_copy(update={"second_factor_roles": ("*",)})
    house.set_up_anew(required)
    user, token = await house.state["personal_tokens"].resolve(made.token.token_hash)
    assert (user.user_id, token.scopes) == (bot.user_id, SOCKET)
    access = await house.state["personal_tokens"].exchange(made.text)
    assert access.token.user_id == bot.user_id


@pytest.mark.parametrize("scopes", [("admin",), ("files:read", "admin"), ("root",)])
async def test_az_7_a_bots_token_administrates_nothing(house, admin, bot, scopes):
    """AZ-7: the scope for administrators is for no bot."""
    with pytest.raises(ScopesInvalidError):
        await _token(house, admin, bot, scopes)


async def test_a_bots_tokens_are_recorded_listed_limited_and_ended(house, admin, bot):
    """Each act names who, for whom and why; the end is told as a session's is."""
    bots = house.state["bots"]
    made = await _token(house, admin, bot)
    [created] = house.adapters.stores.audit.of("token.created")
    assert (created.actor_id, created.on_behalf_of) == (admin.user_id, bot.user_id)
    page = await bots.tokens_of(admin, bot.user_id, after=None, limit=9)
    assert [token.token_id for token in page.items] == [made.token.token_id]
    for _ in range(2):
        await bots.revoke_token(admin, bot.user_id, made.token.token_id, WHY)
    announced = [one.session_id for one in house.announcer.announced]
    assert announced == [made.token.token_id]
    with pytest.raises(PersonalTokenInvalidError):
        await house.state["personal_tokens"].resolve(made.token.token_hash)
    [first, _] = house.adapters.stores.audit.of("bot.token_revoked")
    assert first.reason == WHY
    for _ in range(50):
        await _token(house, admin, bot)
    with pytest.raises(PersonalTokenLimitError):
        await _token(house, admin, bot)


async def test_a_persons_token_is_not_ended_as_a_bots(house, admin, bot):
    """Another account's token is as none."""
    wish = TokenWish("own", SOCKET, 1)
    tokens = house.state["personal_tokens"]
    own = await tokens.create(admin.user_id, admin.session_id, wish)
    with pytest.raises(PersonalTokenMissingError):
        await house.state["bots"].revoke_token(
            admin, bot.user_id, own.token.token_id, WHY
        )


@pytest.mark.parametrize("act", [SUSPEND, DEACTIVATE])
async def test_sr_6_a_suspended_bots_tokens_end(house, admin, bot, act):
    """SR-6: all of them, told at once, by what suspends people too."""
    made = [await _token(house, admin, bot) for _ in range(3)]
    await house.state["administration"].move(act, admin, bot.user_id, WHY)
    announced = {one.session_id for one in house.announcer.announced}
    assert announced == {one.token.token_id for one in made}
    for one in made:
        with pytest.raises(PersonalTokenInvalidError):
            await house.state["personal_tokens"].resolve(one.token.token_hash)


async def test_bots_over_the_routes(house, api, admin):
    """Made, listed in pages, shown, found as a bot by others, and no person's list."""
    who = Principal(admin.user_id, admin.session_id, ("admin",))
    body = {"display_name": "Builder", "handle": "builder", "reason": WHY}
    made = (await api("POST", "/api/v1/admin/bots", body, who=who)).json()
    assert (made["is_bot"], made["owner_id"]) == (True, admin.user_id)
    other = {"display_name": "Other", "role": "guest", "reason": WHY}
    await api("POST", "/api/v1/admin/bots", other, who=who)
    page = (await api("GET", "/api/v1/admin/bots?limit=1", who=who)).json()
    assert [one["user_id"] for one in page["items"]] == [made["user_id"]]
    assert page["next_cursor"]
    path = f"/api/v1/admin/bots/{made['user_id']}"
    assert (await api("GET", path, who=who)).json() == made
    person = await api("GET", f"/api/v1/admin/bots/{admin.user_id}", who=who)
    assert (person.status, person.json()["code"]) == (404, "bot_not_found")
    found = (await api("GET", "/api/v1/users?handle=builder", who=who)).json()
    assert [one["is_bot"] for one in found["items"]] == [True]
    wish = {"name": "ci", "scopes": ["profile:read"], "reason": WHY}
    token = (await api("POST", f"{path}/tokens", wish, who=who)).json()
    assert token["token"].startswith("parley_pat_")
    own = Principal(made["user_id"], token["token_id"], ("member",), ("profile:read",))
    me = (await api("GET", "/api/v1/me", who=own)).json()
    assert (me["email"], me["is_bot"]) == (None, True)
    listed = (await api("GET", f"{path}/tokens", who=who)).json()
    assert "token" not in listed["items"][0]
    revoke = f"{path}/tokens/{token['token_id']}/revoke"
    assert (await api("POST", revoke, {"reason": WHY}, who=who)).status == 204
    refused = await api("POST", f"{AUTH}/token", {"token": token["token"]})
    assert refused.status == 401


async def test_a_bot_itself_makes_and_invites_nobody(house, api, admin, bot):
    """A token of a bot reaches no route of accounts, tokens, bots or invitations."""
    made = await _token(house, admin, bot, ("profile:read", "profile:write"))
    who = Principal(bot.user_id, made.token.token_id, ("member",), made.token.scopes)
    for method, path in (
        ("POST", "/api/v1/me/tokens"),
        ("POST", "/api/v1/admin/bots"),
        ("GET", "/api/v1/admin/bots"),
        ("POST", "/api/v1/invites"),
        ("GET", "/api/v1/me/sessions"),
        ("POST", "/api/v1/me/mfa/totp"),
    ):
        answer = await api(method, path, {"reason": WHY}, who=who)
        assert (answer.status, answer.json()["code"]) == (403, "insufficient_scope")
    actor = Actor(bot.user_id, made.token.token_id)
    with pytest.raises(NotPermittedError):
        await house.state["bots"].create(actor, BotWish("B", None, "guest"), WHY)
    assert (await house.user(bot.user_id)).status is UserStatus.ACTIVE
