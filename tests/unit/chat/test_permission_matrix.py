"""Every way in x role x kind x state, from the one table of `domain.operations`.

A new route or socket event fails `test_every_way_in_is_in_the_table`: give it a row
in `services/chat/domain/operations.py`, and a request here.
"""

from datetime import timedelta

import pytest

from libs.kernel import AppError, new_id
from services.chat import api
from services.chat.domain.conversation import ConversationKind, Role
from services.chat.domain.operations import OPERATIONS, Operation, Scope
from services.chat.domain.permissions import Action, require
from services.chat.domain.slow_mode import require_waited
from tests.unit.chat.matrix_app import MatrixApp, matrix_app, place_path
from tests.unit.chat.matrix_places import PLACES, ROLES, SAID, Place, build

CHECKED = [one for one in OPERATIONS if one.scope is Scope.CONVERSATION]


def body_of(operation: Operation, place: Place) -> object:
    """Return what is sent: a valid request, so that rights alone decide."""
    archive = not place.conversation.is_archived
    message = {"client_message_id": new_id(), "text": "hello"}
    own = {"conversation_id": place.place_id, "message_id": place.own_message}
    thread = {"conversation_id": place.place_id, "thread_seq": 1}
    bodies = {
        ("PATCH", "title"): {"title": "Other"},
        ("PATCH", "topic"): {"topic": "Other"},
        ("PATCH", "avatar"): {"avatar_document_id": place.avatar},
        ("PATCH", "rules"): {"slow_mode_seconds": 5},
        ("PATCH", "is_archived"): {"is_archived": archive},
        ("POST invites", ""): {},
        ("POST members", "by id"): {"user_id": place.stranger},
        ("POST members", "by handle"): {"handle": place.handle},
        ("PATCH members", ""): {"role": "member"},
        ("POST owner", ""): {"user_id": place.target},
        ("POST bans", ""): {"user_id": place.stranger},
        ("POST messages", ""): message,
        ("PATCH messages", ""): {"text": "edited"},
        ("PUT read", ""): {"seq": 1},
        ("PUT draft", ""): {"text": "draft"},
        ("PUT mute", ""): {"level": "all"},
        ("PUT bookmark", ""): {},
        ("PUT read", "thread"): {"seq": 1},
        ("POST forwards", ""): _forward(place),
        ("POST scheduled", ""): {
            "due_at": (place.now + timedelta(hours=1)).isoformat(),
            "text": "later",
        },
        ("socket message.edit", ""): own | {"text": "edited"},
        ("socket message.delete", "own"): own,
        ("socket message.delete", "other's"): own | {"message_id": place.other_message},
        ("socket message.react", ""): own | {"emoji": "👍"},
        ("socket message.pin", ""): own,
        ("socket message.forward", ""): _forward(place)
        | {"conversation_id": place.place_id},
        ("socket thread.read", ""): thread | {"seq": 1},
        ("socket thread.follow", ""): thread,
        ("socket message.send", ""): message | {"conversation_id": place.place_id},
        ("socket conversation.subscribe", ""): {"conversation_ids": [place.place_id]},
        ("socket receipt.read", ""): {"conversation_id": place.place_id, "seq": 1},
        ("socket typing.start", ""): {"conversation_id": place.place_id},
        ("socket presence.get", ""): {
            "conversation_id": place.place_id,
            "user_ids": [new_id()],
        },
    }
    return bodies.get((_short(operation.name), operation.variant))


def _forward(place: Place) -> dict[str, str]:
    """Return what forwards a message of the actor's to the place."""
    return {
        "client_message_id": new_id(),
        "from_conversation_id": place.source,
        "message_id": place.source_message,
    }


def query_of(operation: Operation) -> str:
    """Return the query that the route demands."""
    return "?since=0" if operation.name.endswith("/changes") else ""


def _short(name: str) -> str:
    """Return the method and the last word of a path that is no id."""
    method, _, path = name.partition(" ")
    if method == "socket":
        return name
    words = [word for word in path.split("/") if word and not word.startswith("{")]
    return method if words[-1] == "conversations" else f"{method} {words[-1]}"


async def ask(app: MatrixApp, operation: Operation, place: Place):
    """Do the operation as the actor."""
    method, _, rest = operation.name.partition(" ")
    body = body_of(operation, place)
    if method == "socket":
        return await app.socket(place.actor, rest, body)
    user_id = place.actor if operation.variant == "self" else place.target
    if "/bans/" in rest:
        user_id = place.banned
    others = operation.variant == "other's"
    path = place_path(
        operation.name,
        place.place_id,
        user_id=user_id,
        invite_id=place.invite_id,
        message_id=place.other_message if others else place.own_message,
        emoji="👍",
        thread_seq="1",
    )
    return await app.http(place.actor, method, path + query_of(operation), body)


def expected(operation: Operation, place: Place) -> str | None:
    """Return the code that the table gives for a cell; None: allowed."""
    member = place.member if place.exists else None
    conversation, action = place.conversation, operation.action
    assert action is not None
    try:
        require(conversation, member, Action.READ)
        if place.state == "hidden" and operation.is_on_message:
            return "message_not_found"
        role = require(conversation, member, action)
        if operation.is_paced:  # the actor has just sent a message
            require_waited(conversation, role, action, place.now, place.now)
    except AppError as error:
        return error.code
    return None


@pytest.fixture
async def app(routes):
    """The real app over memory adapters."""
    async with matrix_app(routes) as opened:
        yield opened


def test_every_way_in_is_in_the_table(app) -> None:
    """No route and no socket event without a row, and no row without its route."""
    served = {
        f"{method} {route.path}"
        for router in api.ROUTERS
        for route in router.routes
        for method in route.methods
    }
    served |= {f"socket {event}" for event in app.routes}
    assert {operation.name for operation in OPERATIONS} == served


def test_no_row_says_a_thing_twice() -> None:
    """A row is named by its way in and its variant."""
    names = [(operation.name, operation.variant) for operation in OPERATIONS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    "operation", CHECKED, ids=lambda one: f"{one.name} {one.variant}".strip()
)
async def test_every_cell_is_as_the_table_says(app, operation) -> None:
    """AZ-1, AZ-5, AZ-6: in every kind and state, by every role.

    The role is that of now, whatever the caller was; what is archived takes nothing;
    and what is hidden is alike.
    """
    wrong, hidden = {}, []
    for kind, state in PLACES:
        for role in ROLES:
            place = await build(app, kind, state, role, operation)
            wanted = expected(operation, place)
            outcome = await ask(app, operation, place)
            is_right = outcome.code == wanted
            is_right &= (wanted is None) == (outcome.status < 400)
            may_see = place.is_member and state != "hidden"
            if not is_right or (SAID in str(outcome.body) and not may_see):
                wrong[kind.value, state, str(role)] = (outcome, wanted)
            if wanted == "conversation_not_found":
                hidden.append((outcome.status, outcome.body))
    assert wrong == {}
    assert hidden
    assert all(one == hidden[0] for one in hidden)


NAMED = [
    one
    for one in CHECKED
    if one.variant != "self" and "thread" not in one.name
    if one.is_on_message or "{invite_id}" in one.name or "{user_id}" in one.name
]


@pytest.mark.parametrize(
    "operation", NAMED, ids=lambda one: f"{one.name} {one.variant}".strip()
)
async def test_az_3_what_is_of_another_place_is_missing(app, operation) -> None:
    """AZ-3: a message, invite, member or ban of elsewhere is answered like none."""
    here, there = [
        await build(app, ConversationKind.GROUP, "normal", Role.OWNER) for _ in "12"
    ]
    outcomes = []
    for ids in (there.own_message, there.invite_id, there.banned), [new_id()] * 3:
        here.own_message = here.other_message = ids[0]
        here.invite_id, here.banned, here.target = *ids[1:], ids[2]
        outcomes.append(await ask(app, operation, here))
    assert outcomes[0] == outcomes[1]
    assert operation.name.startswith("DELETE") or outcomes[0].status >= 400
