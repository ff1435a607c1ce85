"""Ids of others wherever they can stand: bodies, nested lists, cursors.

For each place in a body the answer to somebody else's id is the answer to an id that
nobody has, and nothing of what it names is in it.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from libs.kernel import UserId, new_id
from services.chat.domain.conversation import ConversationKind
from tests.unit.chat.matrix_app import MatrixApp, matrix_app
from tests.unit.chat.matrix_places import Place, build

CANARY = "canary of somebody else"
DESCRIPTION = Path("docs/openapi/chat.json")


@dataclass
class Foreign:
    """What belongs to others, or to nobody where it is made up."""

    conversation_id: str
    message_id: str
    document_id: str
    project_id: str
    user_id: str

    @classmethod
    def nothing(cls) -> "Foreign":
        """Return ids that nobody has."""
        return cls(*(new_id() for _ in range(5)))

    def __iter__(self):
        """Yield the ids."""
        return iter(vars(self).values())


@pytest.fixture
async def app(routes):
    """The real app over memory adapters."""
    async with matrix_app(routes) as opened:
        yield opened


async def place_of(app: MatrixApp) -> Place:
    """Return a group that somebody owns."""
    return await build(app, ConversationKind.GROUP, "normal", "owner")


async def foreign(app: MatrixApp) -> Foreign:
    """Return a private group of others, with a message, a document and a project."""
    theirs, project_id = await place_of(app), new_id()
    path = f"/api/v1/conversations/{theirs.place_id}"
    body = {"client_message_id": new_id(), "text": CANARY}
    said = await app.http(theirs.actor, "POST", f"{path}/messages", body)
    place = {"conversation_id": theirs.place_id}
    await app.core.membership.projects.archive(
        project_id, is_archived=False, revision=1
    )
    return Foreign(
        theirs.place_id,
        said.body["message"]["message_id"],
        await app.chat.checked(theirs.actor, **place),
        project_id,
        theirs.actor,
    )


def message(**more: object) -> dict[str, object]:
    """Return a body that sends."""
    return {"client_message_id": new_id(), "text": "hello", **more}


def later(place: Place, **more: object) -> dict[str, object]:
    """Return a body that plans."""
    due_at = (place.now + timedelta(hours=1)).isoformat()
    return {"due_at": due_at, "text": "later", **more}


Body = Callable[[Place, Foreign], dict[str, object]]
HTTP: dict[str, tuple[str, str, Body]] = {
    "project": (
        "POST",
        "",
        lambda _, f: {"kind": "channel", "title": "x", "project_id": f.project_id},
    ),
    "first avatar": (
        "POST",
        "",
        lambda _, f: {
            "kind": "group",
            "title": "x",
            "avatar_document_id": f.document_id,
        },
    ),
    "avatar": ("PATCH", "/{}", lambda _, f: {"avatar_document_id": f.document_id}),
    "attachment": (
        "POST",
        "/{}/messages",
        lambda _, f: message(attachments=[f.document_id]),
    ),
    "attachment among own": (
        "POST",
        "/{}/messages",
        lambda p, f: message(attachments=[p.avatar, f.document_id, p.avatar]),
    ),
    "mention": ("POST", "/{}/messages", lambda _, f: message(mentions=[f.user_id])),
    "mention among own": (
        "POST",
        "/{}/messages",
        lambda p, f: message(mentions=[p.target, f.user_id]),
    ),
    "forwarded from there": (
        "POST",
        "/{}/forwards",
        lambda _, f: {
            "client_message_id": new_id(),
            "from_conversation_id": f.conversation_id,
            "message_id": f.message_id,
        },
    ),
    "forwarded through here": (
        "POST",
        "/{}/forwards",
        lambda p, f: {
            "client_message_id": new_id(),
            "from_conversation_id": p.place_id,
            "message_id": f.message_id,
        },
    ),
    "banned": ("POST", "/{}/owner", lambda _, f: {"user_id": f.user_id}),
    "caught up": (
        "POST",
        "/../sync",
        lambda p, f: {"conversations": {p.place_id: 9, f.conversation_id: 0}},
    ),
}
SOCKET: dict[str, tuple[str, Body]] = {
    "attachment among own": (
        "message.send",
        lambda p, f: message(
            conversation_id=p.place_id, attachments=[p.avatar, f.document_id]
        ),
    ),
    "message of elsewhere": (
        "message.edit",
        lambda p, f: {
            "conversation_id": p.place_id,
            "message_id": f.message_id,
            "text": "x",
        },
    ),
    "reaction": (
        "message.react",
        lambda p, f: {
            "conversation_id": p.place_id,
            "message_id": f.message_id,
            "emoji": "👍",
        },
    ),
    "pin": (
        "message.pin",
        lambda p, f: {"conversation_id": p.place_id, "message_id": f.message_id},
    ),
    "subscription among own": (
        "conversation.subscribe",
        lambda p, f: {"conversation_ids": [p.place_id, f.conversation_id]},
    ),
    "caught up": (
        "sync",
        lambda p, f: {"conversations": {p.place_id: 9, f.conversation_id: 0}},
    ),
    "presence": (
        "presence.get",
        lambda p, f: {"conversation_id": p.place_id, "user_ids": [f.user_id]},
    ),
}


def masked(outcome: object, ids: Foreign) -> str:
    """Return what came of it, the ids that were sent left out."""
    text = json.dumps(vars(outcome), default=str, sort_keys=True)
    for number, one in enumerate(ids):
        text = text.replace(one, f"id {number}")
    return text


async def compared(app: MatrixApp, ask) -> None:
    """Check that what is another's and what is nobody's are answered alike."""
    answers = []
    for ids in (await foreign(app), Foreign.nothing()):
        place = await place_of(app)
        outcome = await ask(place, ids)
        answers.append(masked(outcome, ids).replace(place.place_id, "here"))
        assert CANARY not in answers[-1]
    assert answers[0] == answers[1]


@pytest.mark.parametrize("case", HTTP)
async def test_az_2_an_id_in_a_body_opens_nothing(app, case) -> None:
    """AZ-2, AZ-3: over HTTP, alone and among one's own."""
    method, below, body = HTTP[case]

    async def ask(place: Place, ids: Foreign):
        path = f"/api/v1/conversations{below.format(place.place_id)}"
        path = path.replace("/conversations/..", "")
        outcome = await app.http(place.actor, method, path, body(place, ids))
        assert case == "caught up" or outcome.status >= 400, outcome
        return outcome

    await compared(app, ask)


@pytest.mark.parametrize("case", SOCKET)
async def test_az_2_an_id_in_a_payload_opens_nothing(app, case) -> None:
    """AZ-2, AZ-3: the same by the other door."""
    event, payload = SOCKET[case]

    async def ask(place: Place, ids: Foreign):
        return await app.socket(place.actor, event, payload(place, ids))

    await compared(app, ask)


async def test_az_2_a_planned_message_is_checked_when_it_is_due(app) -> None:
    """AZ-2, AZ-5: planning checks the place; what it carries, the moment it is sent."""
    ids, place = await foreign(app), await place_of(app)
    path = f"/api/v1/conversations/{place.place_id}/scheduled"
    body = later(place, attachments=[ids.document_id])
    planned = await app.http(place.actor, "POST", path, body)
    app.chat.clock.advance(timedelta(hours=2))
    await app.core.talk.sender.send_one()
    page = await app.http(place.actor, "GET", "/api/v1/scheduled")
    states = [(one["state"], one["code"]) for one in page.body["items"]]
    if planned.status < 400:
        assert states == [("failed", "attachment_unknown")]
    assert CANARY not in str(page.body)


LISTS = {
    "/api/v1/bookmarks": "own",
    "/api/v1/conversations": "own",
    "/api/v1/conversations?order=activity": "own",
    "/api/v1/conversations/channels": "own",
    "/api/v1/drafts": "own",
    "/api/v1/scheduled": "own",
    "/api/v1/conversations/{conversation_id}/bans": "place",
    "/api/v1/conversations/{conversation_id}/invites": "place",
    "/api/v1/conversations/{conversation_id}/members": "place",
    "/api/v1/conversations/{conversation_id}/messages/{message_id}/edits": "place",
    "/api/v1/conversations/{conversation_id}/messages/{message_id}"
    "/reactions/{emoji}": "place",
    "/api/v1/conversations/{conversation_id}/messages/{message_id}/receipts": "place",
    "/api/v1/conversations/{conversation_id}/pins": "place",
    "/api/v1/conversations/{conversation_id}/threads": "place",
}
"""Every list that goes on from a cursor: of the caller's own, or of a place."""


def test_az_2_every_list_is_here() -> None:
    """AZ-2: a list without a row is a list whose cursors nobody tried."""
    document = json.loads(DESCRIPTION.read_text())
    paged = {
        path
        for path, methods in document["paths"].items()
        for one in methods.get("get", {}).get("parameters", [])
        if one["name"] == "cursor"
    }
    assert paged == {path.partition("?")[0] for path in LISTS}


async def filled(app: MatrixApp) -> Place:
    """Return a place whose owner has two of everything that is listed."""
    place = await place_of(app)
    base = f"/api/v1/conversations/{place.place_id}"

    async def do(method: str, below: str, body: object = None) -> dict:
        path = below if below.startswith("/api/") else f"{base}{below}"
        outcome = await app.http(place.actor, method, path, body)
        assert outcome.status < 400, (path, outcome)
        return outcome.body

    for title in (f"{CANARY} 1", f"{CANARY} 2"):
        body = {"kind": "channel", "title": title, "is_public": False}
        other = await do("POST", "/api/v1/conversations", body)
        own = f"/api/v1/conversations/{other['conversation_id']}"
        await do("PUT", f"{own}/draft", {"text": CANARY})
    for _ in range(2):
        said = (await do("POST", "/messages", message(text=CANARY)))["message"]
        below = f"/messages/{said['message_id']}"
        await do("PUT", f"{below}/bookmark", {"note": CANARY})
        await do("PUT", f"{below}/pin")
        await do("POST", "/scheduled", later(place, text=CANARY))
        await do("POST", "/invites", {})
        await do("POST", "/bans", {"user_id": await known(app)})
        await do("POST", "/messages", message(text=CANARY, thread_seq=said["seq"]))
        for text in (f"{CANARY} 3", f"{CANARY} 4"):
            await do("PATCH", f"/messages/{place.own_message}", {"text": text})
    return place


async def known(app: MatrixApp) -> UserId:
    """Return somebody who exists."""
    return (await place_of(app)).stranger


async def cursor_of(app: MatrixApp, place: Place, path: str) -> str | None:
    """Return the cursor of the owner's second page."""
    join = "&" if "?" in path else "?"
    first = await app.http(place.actor, "GET", f"{path}{join}limit=1")
    assert first.status == 200, (path, first)
    cursor: str | None = first.body.get("next_cursor")
    return cursor


@pytest.mark.parametrize("template", LISTS)
async def test_az_2_a_cursor_of_another_opens_nothing(app, template) -> None:
    """AZ-2, AZ-9: it is a position, and a list is of whom it is asked by."""
    theirs, mine = await filled(app), await place_of(app)
    path, here = (
        template.format(
            conversation_id=place.place_id, message_id=place.own_message, emoji="👍"
        )
        for place in (theirs, mine)
    )
    cursor = await cursor_of(app, theirs, path)
    may_have_one = ("channels", "reactions", "receipts")
    assert cursor or any(word in template for word in may_have_one), template
    join = "&" if "?" in path else "?"
    going_on = f"{join}cursor={cursor}" if cursor else ""
    if LISTS[template] == "place":
        foreign_place = await app.http(mine.actor, "GET", f"{path}{going_on}")
        assert foreign_place.code == "conversation_not_found"
    own = await app.http(mine.actor, "GET", f"{here}{going_on}")
    assert own.status == 200
    told = json.dumps(own.body, default=str)
    assert CANARY not in told
    for one in (theirs.place_id, theirs.actor, theirs.own_message):
        assert one not in told
