"""What no membership is asked for: coming in, and what is the caller's own.

Coming in is tested by every role into every kind and state; the rest tells nobody of
a place that they are not in, nor of what is somebody else's.
"""

from datetime import timedelta

import pytest

from libs.kernel import AppError, ConflictError, new_id
from services.chat.domain.conversation import ConversationKind
from services.chat.domain.operations import OPERATIONS, Operation, Scope
from services.chat.domain.permissions import Action, require
from tests.unit.chat.matrix_app import MatrixApp, matrix_app, place_path
from tests.unit.chat.matrix_places import (
    PLACES,
    ROLES,
    SAID,
    Place,
    build,
    token_of,
)

OPEN = [one for one in OPERATIONS if one.scope is not Scope.CONVERSATION]
OWN_STREAM = (
    "GET /api/v1/sync/own",
    "socket own.subscribe",
    "GET /api/v1/me/export/chat",
)
"""Tells its owner of places that they were in once, and of what they said there."""

IS_PUBLIC = {"private": False, "public": True}


@pytest.fixture
async def app(routes):
    """The real app over memory adapters."""
    async with matrix_app(routes) as opened:
        yield opened


def joining(place: Place) -> str | None:
    """Return the code of joining a channel; None: the caller is in."""
    if place.is_member:
        return None
    conversation = place.conversation
    is_open = place.exists and conversation.is_public and place.role != "banned"
    if not is_open:
        return "conversation_not_found"
    return "conversation_archived" if conversation.is_archived else None


def accepting(place: Place) -> str | None:
    """Return the code of coming in by the owner's link; None: the caller is in."""
    if not place.exists:
        return "invite_not_found"
    try:
        require(place.conversation, place.ownership, Action.INVITE)
    except ConflictError as error:
        return error.code
    except AppError:
        return "invite_not_found"
    return "invite_not_found" if place.role == "banned" else None


@pytest.mark.parametrize("door", IS_PUBLIC)
async def test_every_cell_of_joining(app, door) -> None:
    """Into what is public, by who is not banned; all else is missing alike."""
    wrong, hidden = {}, []
    for kind, state in PLACES:
        for role in ROLES:
            is_public = IS_PUBLIC[door] and kind is ConversationKind.CHANNEL
            place = await build(app, kind, state, role, is_public=is_public)
            path = f"/api/v1/conversations/{place.place_id}/join"
            outcome = await app.http(place.actor, "POST", path)
            if outcome.code != (wanted := joining(place)):
                wrong[kind.value, state, str(role)] = (outcome, wanted)
            if wanted == "conversation_not_found":
                hidden.append((outcome.status, outcome.body))
    assert wrong == {}
    assert all(one == hidden[0] for one in hidden)


async def test_every_cell_of_an_invite(app) -> None:
    """Where its maker may bring somebody in, but not who is banned."""
    wrong, hidden = {}, []
    path = "/api/v1/conversations/invites/accept"
    for kind, state in PLACES:
        for role in ROLES:
            place = await build(app, kind, state, role)
            body = {"token": place.token}
            outcome = await app.http(place.actor, "POST", path, body)
            if outcome.code != (wanted := accepting(place)):
                wrong[kind.value, state, str(role)] = (outcome, wanted)
            if wanted == "invite_not_found":
                hidden.append((outcome.status, outcome.body))
    unknown = await app.http(place.actor, "POST", path, {"token": token_of("none")})
    assert wrong == {}
    assert all(one == (unknown.status, unknown.body) for one in hidden)


@pytest.mark.parametrize("operation", OPEN, ids=lambda one: one.name)
async def test_what_lies_beyond_tells_an_outsider_nothing(app, operation) -> None:
    """AZ-9: a private conversation does not show where no membership is asked for."""
    for role in ("never", "banned")[: 1 if operation.name in OWN_STREAM else 2]:
        missing = await build(app, ConversationKind.GROUP, "missing", "never")
        nothing = await ask(app, operation, missing)
        for kind, state in PLACES:
            place = await build(app, kind, state, role)
            place.invite_id = missing.invite_id  # who has the link may use it
            seen = await ask(app, operation, place)
            assert seen == nothing, (kind, state, role)
            assert SAID not in str(seen)


async def ask(app: MatrixApp, operation: Operation, place: Place):
    """Do an operation that asks for no membership; return status and body."""
    status, body = await _answer(app, operation, place)
    # What was asked about may be said back, as gone.
    return status, str(body).replace(place.place_id, "the place")


async def _answer(app: MatrixApp, operation: Operation, place: Place):
    method, _, rest = operation.name.partition(" ")
    known = {place.place_id: 1}
    if method == "socket":
        payloads = {
            "conversation.unsubscribe": {"conversation_ids": [place.place_id]},
            "presence.set": {"status": "away"},
            "status.set": {"text": "busy"},
            "token.renew": {"token": "x"},
            "sync": {"conversations": known},
        }
        outcome = await app.socket(place.actor, rest, payloads.get(rest, {}))
        return outcome.code, outcome.body
    bodies = {
        "POST /api/v1/conversations": {"kind": "group", "title": " "},
        "PATCH /api/v1/scheduled/{scheduled_id}": {"text": "later"},
        "POST /api/v1/conversations/invites/accept": {"token": place.token},
        "POST /api/v1/sync": {"conversations": known},
        "PUT /api/v1/presence/custom-status": {"text": "busy"},
        "PUT /api/v1/presence/last-seen": {"last_seen": "everyone"},
    }
    queries = {
        "/api/v1/sync/own": "?since=0",
        "/api/v1/presence/users": f"?ids={place.target}",
    }
    path = place_path(
        operation.name,
        place.place_id,
        message_id=place.own_message,
        scheduled_id=place.invite_id,
    )
    outcome = await app.http(
        place.actor, method, path + queries.get(path, ""), bodies.get(operation.name)
    )
    return outcome.status, outcome.body


@pytest.mark.parametrize(
    ("method", "below", "body"),
    [
        ("PATCH", "scheduled", {"text": "other"}),
        ("DELETE", "scheduled", None),
        ("DELETE", "bookmarks", None),
    ],
)
async def test_what_is_anothers_own_is_missing(app, method, below, body) -> None:
    """AZ-2: scheduled messages and bookmarks of others are answered like none."""
    place = await build(app, ConversationKind.GROUP, "normal", "member")
    base = f"/api/v1/conversations/{place.place_id}"
    due_at = (place.now + timedelta(hours=1)).isoformat()
    later = {"due_at": due_at, "text": "later"}
    planned = await app.http(place.keeper, "POST", f"{base}/scheduled", later)
    marked = f"{base}/messages/{place.own_message}/bookmark"
    assert (await app.http(place.keeper, "PUT", marked, {})).code is None
    ids = {"scheduled": planned.body["scheduled_id"], "bookmarks": place.own_message}
    outcomes = [
        await app.http(place.actor, method, f"/api/v1/{below}/{one}", body)
        for one in (ids[below], new_id())
    ]
    assert outcomes[0] == outcomes[1]
    assert outcomes[0].status == 404
