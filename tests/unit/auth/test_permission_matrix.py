"""AZ-1: every operation of the live OpenAPI x every kind of caller.

A new route fails `test_az_1_every_route_has_a_row`: give it a row in
`services/auth/domain/operations.py`, and its body a row in `test_schemas.GOOD`.
"""

from dataclasses import dataclass
from functools import cache

import pytest
from fastapi import FastAPI

from libs.chassis.principals import Principal
from libs.kernel import new_id
from services.auth.api import ROUTERS
from services.auth.domain import (
    PERMISSIONS,
    BotWish,
    CustomRole,
    Permission,
    Role,
    UserStatus,
)
from services.auth.domain.operations import OPERATIONS, Access
from tests.unit.auth.test_schemas import GOOD

QUERIES = {"GET /api/v1/users": "?query=bea"}
CALLERS = (
    "anonymous",
    "guest",
    "member",
    "moderator",
    "admin",
    "custom",
    "suspended",
    "forged",
    "service",
)
# The directory goes by the token: a suspended one's ends within a second.
_BY_TOKEN = {"GET /api/v1/users"}
_MATCHING = [name for name, rule in OPERATIONS.items() if isinstance(rule, Permission)]


@dataclass
class Matrix:
    """The routes over memory, and who calls them."""

    house: object
    client: object
    callers: object
    document: dict
    bot_id: str | None = None

    async def caller(self, kind, rule):
        """Return a principal of a kind; "custom" has just what the rule asks for."""
        if kind == "anonymous":
            return Principal.anonymous()
        if kind == "service":
            return Principal.service()
        base = kind if kind in set(Role) else "member"
        roles = (base,)
        if kind == "custom":
            roles = ("member", "custom")
            wanted = {rule} if isinstance(rule, Permission) else set()
            role = CustomRole("custom", "", frozenset(wanted), self.house.clock.now())
            await self.house.adapters.stores.roles.put(role, None)
        person = await self.house.person(*roles)
        if kind == "suspended":
            await self.house.change(person.user_id, status=UserStatus.SUSPENDED)
        if kind == "forged":  # a token that says more than is stored
            roles = ("admin",)
        return Principal(person.user_id, person.session_id, roles)

    async def bot(self):
        """Return the id of a bot, the same for all calls."""
        if self.bot_id is None:
            owner = await self.house.person("admin")
            wish = BotWish("Builder", None, "guest")
            made = await self.house.state["bots"].create(owner, wish, "for the build")
            self.bot_id = made.user_id
        return self.bot_id

    async def call(self, name, who):
        """Send a well-formed request; return its answer."""
        method, path = name.split(" ")
        victim = await self.house.person("guest")
        filled = path.format(
            user_id=victim.user_id,
            session_id=new_id(),
            name="support",
            provider_id="unknown",
            passkey_id=new_id(),
            invite_id=new_id(),
            token_id=new_id(),
            bot_id=await self.bot(),
        )
        return await self.client.request(
            method,
            filled + QUERIES.get(name, ""),
            json_body=self._body(method.lower(), path),
            headers=self.callers.headers("auth", who)
            | {"x-client-address": "10.0.0.1"},
        )

    def _body(self, method, path):
        operation = self.document["paths"][path][method]
        content = operation.get("requestBody", {}).get("content", {})
        if "application/json" not in content:
            return None
        schema = content["application/json"]["schema"]
        reference = schema.get("$ref") or schema["anyOf"][0]["$ref"]
        return GOOD[reference.rpartition("/")[2]]


@pytest.fixture
def matrix(house, client, callers):
    """The live app over the use cases in memory."""
    return Matrix(house, client, callers, _document())


@cache
def _document():
    app = FastAPI()
    for router in ROUTERS:
        app.include_router(router)
    return app.openapi()


def test_az_1_every_route_has_a_row():
    """AZ-1: the table names the live routes, no more and no fewer."""
    live = {
        f"{method.upper()} {path}"
        for path, methods in _document()["paths"].items()
        for method in methods
    }
    assert live == set(OPERATIONS)


def _expected(kind, name, rule):
    """Return the code of the refusal, None where there is none."""
    if rule is Access.ANYONE:
        return None
    if rule is Access.SERVICE:
        return None if kind == "service" else "service_required"
    if kind in NO_USERS:
        return NO_USERS[kind]
    is_allowed = rule is Access.SIGNED_IN or kind == "custom"
    return None if is_allowed or _is_permitted(kind, name, rule) else "not_permitted"


def _is_permitted(kind, name, rule):
    if kind in ("suspended", "forged"):
        return name in _BY_TOKEN
    return rule in PERMISSIONS[Role(kind)]


NO_USERS = {"anonymous": "unauthenticated", "service": "user_required"}
REFUSALS = {"unauthenticated", "user_required", "service_required", "not_permitted"}


@pytest.mark.parametrize("name", OPERATIONS)
async def test_az_1_each_caller_gets_what_the_table_says(matrix, name):
    """AZ-1: refused by the right code, or not refused for who they are."""
    rule = OPERATIONS[name]
    for kind in CALLERS:
        who = await matrix.caller(kind, rule)
        answer = await matrix.call(name, who)
        code = answer.json().get("code") if answer.status >= 400 else None
        expected = _expected(kind, name, rule)
        if expected is None:
            assert code not in REFUSALS, (kind, name, code)
            assert answer.status < 500, (kind, name, answer.body)
        else:
            assert code == expected, (kind, name, answer.status, answer.body)
            assert answer.status == (401 if expected == "unauthenticated" else 403)


@pytest.mark.parametrize("name", _MATCHING)
async def test_az_1_who_may_gets_through(matrix, name):
    """AZ-1: an admin's well-formed request is done, or meets the state alone."""
    who = await matrix.caller("admin", OPERATIONS[name])
    answer = await matrix.call(name, who)
    assert answer.status in {200, 201, 202, 204, 404, 409}, answer.body


async def test_az_9_guest_enumerates_nothing(matrix):
    """AZ-9: neither by handle nor by name; an id that a guest knows shows a name."""
    who = await matrix.caller("guest", None)
    bea = await matrix.house.person("member", name="Bea")
    await matrix.house.change(bea.user_id, handle="bea")
    headers = matrix.callers.headers("auth", who)

    async def get(target):
        return await matrix.client.request("GET", target, headers=headers)

    for query in ("handle=bea", "query=bea", "handle=nobody", "query=nobody"):
        answer = await get(f"/api/v1/users?{query}")
        assert (answer.status, answer.json()["code"]) == (403, "not_permitted")
    answer = await get(f"/api/v1/users?ids={bea.user_id}")
    assert [one["display_name"] for one in answer.json()["items"]] == ["Bea"]


FORBIDDEN = ("hash", "secret", "seed", "pepper", "index", "ciphertext", "token_key")


async def test_ma_2_no_response_shows_a_secret_to_any_role(matrix):
    """MA-2: a crawl of everything that an admin can read names and shows no secret."""
    who = await matrix.caller("admin", None)
    stores = matrix.house.adapters.stores
    for name, rule in OPERATIONS.items():
        if not name.startswith("GET") or rule is Access.SERVICE:
            continue
        if "{provider_id}" in name:  # goes elsewhere; shows nothing
            continue
        answer = await matrix.call(name, who)
        assert answer.status == 200, (name, answer.body)
        if name.endswith("jwks.json"):
            continue
        text = answer.body.decode().lower()
        assert not [word for word in FORBIDDEN if f'{word}"' in text], (name, text)
        session = await stores.sessions.get(who.session_id, None)
        assert session.token_hash not in text
        assert (await stores.credentials.get(who.user_id, None)).lower() not in text
