"""AZ-2, AZ-3: what is another person's is answered like what nobody has."""

import pytest

from libs.kernel import new_id
from tests.support.authenticator import Authenticator

ORIGIN = "https://chat.example.test"


@pytest.fixture
async def owner(house):
    """Somebody with one of everything that has an id."""
    actor = await house.person("admin", name="Bea")
    return house.principal(actor, "admin")


async def _token(house, api, owner):
    wish = {"name": "bot", "scopes": ["profile:read"]}
    answer = await api("POST", "/api/v1/me/tokens", wish, who=owner)
    return answer.json()["token_id"]


async def _invite(house, api, owner):
    body = {"email": "eve@example.test"}
    answer = await api("POST", "/api/v1/invites", body, who=owner)
    assert answer.status < 300, answer.body
    (invite,) = (await api("GET", "/api/v1/invites", who=owner)).json()["items"]
    return invite["invite_id"]


async def _passkey(house, api, owner):
    passkeys, ids = house.state["passkeys"], (owner.user_id, owner.session_id)
    credential = Authenticator(ORIGIN).create(await passkeys.offer(*ids))
    return (await passkeys.add(*ids, "key", credential)).passkey.passkey_id


async def _session(house, api, owner):
    return owner.session_id


MAKERS = {
    "DELETE /api/v1/me/sessions/{id}": (_session, None),
    "DELETE /api/v1/me/tokens/{id}": (_token, None),
    "DELETE /api/v1/invites/{id}": (_invite, None),
    "DELETE /api/v1/me/mfa/passkeys/{id}": (_passkey, None),
    "PATCH /api/v1/me/mfa/passkeys/{id}": (_passkey, {"name": "mine"}),
}


@pytest.mark.parametrize("operation", MAKERS)
async def test_az_2_what_is_anothers_is_missing(house, api, owner, operation):
    """AZ-2, AZ-3: each child of an account is reached through its own account alone."""
    make, body = MAKERS[operation]
    method, path = operation.split(" ")
    child = await make(house, api, owner)
    other = house.principal(await house.person("moderator"), "moderator")
    answers = []
    for one in (child, new_id()):
        answer = await api(method, path.format(id=one), body, who=other)
        problem = answer.json() | {"trace_id": ""} if answer.body else {}
        answers.append((answer.status, problem))
    assert answers[0] == answers[1]
    assert answers[0][0] == 404
    mine = await api(method, path.format(id=child), body, who=owner)
    assert mine.status < 300, mine.body


@pytest.mark.parametrize(
    ("path", "make"),
    [
        ("/api/v1/me/sessions", None),
        ("/api/v1/me/tokens", _token),
        ("/api/v1/invites", _invite),
    ],
)
async def test_az_2_a_cursor_of_another_lists_ones_own(house, api, owner, path, make):
    """AZ-2, AZ-9: a position in a list; whose list it is says the session."""
    made = [await make(house, api, owner) for _ in range(1)] if make else []
    if path.endswith("tokens"):
        made.append(await _token(house, api, owner))
    first = (await api("GET", f"{path}?limit=1", who=owner)).json()
    cursor = first.get("next_cursor")
    other = house.principal(await house.person("moderator"), "moderator")
    going_on = f"?cursor={cursor}" if cursor else ""
    answer = await api("GET", f"{path}{going_on}", who=other)
    assert answer.status == 200
    told = answer.body.decode()
    assert owner.session_id not in told
    assert not [one for one in made if one in told]
