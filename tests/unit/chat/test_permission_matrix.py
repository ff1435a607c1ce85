"""Every way in x role x kind x state, from the one table of `domain.operations`.

A new route or socket event fails `test_every_way_in_is_in_the_table`: give it a row
in `services/chat/domain/operations.py`, and a request here.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
import pytest

from libs.kernel import AppError, ConversationId, DocumentId, MessageId, UserId, new_id
from services.chat import api
from services.chat.domain.ban import Ban
from services.chat.domain.conversation import (
    Conversation,
    ConversationKind,
    Member,
    Role,
)
from services.chat.domain.invite import Invite
from services.chat.domain.message import Message
from services.chat.domain.operations import OPERATIONS, Operation, Scope
from services.chat.domain.permissions import require
from services.chat.domain.slow_mode import require_waited
from services.chat.domain.user import User
from tests.unit.chat.matrix_app import MatrixApp, matrix_app, place_path
from tests.unit.chat.support import draft

ROLES = (*Role, "removed", "never")
STATES = (
    "normal",
    "archived",
    "announcements",
    "slow",
    "managed",
    "deleted",
    "missing",
)
IMPOSSIBLE = {
    ("direct", "announcements"),
    ("direct", "slow"),
    ("direct", "managed"),
    ("direct", "deleted"),
    ("group", "managed"),
}
PLACES = [
    (kind, state)
    for kind in ConversationKind
    for state in STATES
    if (kind.value, state) not in IMPOSSIBLE
]
CHECKED = [one for one in OPERATIONS if one.scope is Scope.CONVERSATION]


@dataclass
class Place:
    """A conversation in a state, and who has to do with it."""

    conversation: Conversation
    member: Member | None
    actor: UserId
    target: UserId
    stranger: UserId
    banned: UserId
    handle: str
    invite_id: str
    own_message: MessageId
    other_message: MessageId
    exists: bool
    avatar: DocumentId
    source: ConversationId
    source_message: MessageId
    now: datetime

    @property
    def place_id(self) -> ConversationId:
        """Which."""
        return self.conversation.conversation_id


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


async def build(
    app: MatrixApp,
    kind: ConversationKind,
    state: str,
    role,
    operation: Operation | None = None,
) -> Place:
    """Store a conversation in a state, with the actor in a role."""
    chat, now = app.chat, app.chat.clock.now()
    actor, keeper, target, stranger, banned = (UserId(new_id()) for _ in range(5))
    handle = f"h{stranger[-12:]}"
    for user_id in (actor, keeper, target, stranger, banned):
        own = handle if user_id == stranger else None
        user = User(user_id=user_id, is_verified=True, handle=own)
        await chat.users.put(user, session=None)
    conversation = Conversation(
        conversation_id=ConversationId(new_id()),
        kind=kind,
        title=None if kind is ConversationKind.DIRECT else "Title",
        project_id=None,
        created_by=keeper,
        created_at=now,
        last_seq=2,
        is_archived=state == "archived",
        is_announcement_only=state == "announcements",
        slow_mode_seconds=30 if state == "slow" else 0,
        is_managed=state == "managed",
    )
    place_id = conversation.conversation_id

    def member(user_id: UserId, role: Role, *, is_active: bool = True) -> Member:
        return Member(
            conversation_id=place_id,
            user_id=user_id,
            role=role,
            joined_at=now,
            revision=1,
            is_active=is_active,
        )

    members = [member(keeper, Role.OWNER), member(target, Role.GUEST)]
    own = None
    if role != "never":
        is_active = role != "removed"
        own = member(actor, role if is_active else Role.OWNER, is_active=is_active)
        members.append(own)
    invite_id, ids = new_id(), [MessageId(new_id()), MessageId(new_id())]
    if state != "missing":
        await chat.store.insert(conversation, members, session=None)
        for seq, (message_id, sender) in enumerate(
            zip(ids, (actor, target), strict=True), start=1
        ):
            chat.store.messages[message_id] = Message(
                message_id=message_id,
                conversation_id=place_id,
                client_message_id=new_id(),
                seq=seq,
                revision=1,
                sender_id=sender,
                sent_at=now,
                text="text",
            )
        await chat.bans_store.put(
            Ban(
                conversation_id=place_id,
                user_id=banned,
                banned_by=keeper,
                banned_at=now,
            ),
            session=None,
        )
        chat.invites_store.invites[invite_id] = Invite(
            invite_id=invite_id,
            conversation_id=place_id,
            token_hash=new_id().encode(),
            role=Role.MEMBER,
            created_by=keeper,
            created_at=now,
            expires_at=now.replace(year=now.year + 1),
            uses_max=None,
        )
    source, source_message = place_id, ids[0]
    if operation is not None and "forward" in operation.name:
        source = await chat.group(owner=actor)
        source_message = (await chat.messages.send(draft(source, actor))).message_id
    if state == "deleted":
        gone = msgspec.structs.replace(conversation, revision=2, members_version=2)
        await chat.store.delete(gone, before=conversation, session=None)
    return Place(
        conversation=conversation,
        member=own,
        actor=actor,
        target=target,
        stranger=stranger,
        banned=banned,
        handle=handle,
        invite_id=invite_id,
        own_message=ids[0],
        other_message=ids[1],
        exists=state not in ("deleted", "missing"),
        avatar=await chat.checked(actor),
        source=source,
        source_message=source_message,
        now=now,
    )


def expected(operation: Operation, place: Place) -> str | None:
    """Return the code that the table gives for a cell; None: allowed."""
    if operation.action is None:
        return None
    member = place.member if place.exists else None
    try:
        role = require(place.conversation, member, operation.action)
        if operation.is_paced:  # the actor has just sent a message
            said_at = place.now
            require_waited(
                place.conversation, role, operation.action, said_at, place.now
            )
    except AppError as error:
        return error.code
    return None


@pytest.fixture
async def app(tmp_path):
    """The real app over memory adapters."""
    async with matrix_app(tmp_path) as opened:
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
    """The operation in every kind and state, by every role; what is hidden is alike."""
    wrong, hidden = {}, []
    for kind, state in PLACES:
        for role in ROLES:
            place = await build(app, kind, state, role, operation)
            wanted = expected(operation, place)
            outcome = await ask(app, operation, place)
            if outcome.code != wanted or (wanted is None) != (outcome.status < 400):
                wrong[kind.value, state, str(role)] = (outcome, wanted)
            if wanted == "conversation_not_found":
                hidden.append((outcome.status, outcome.body))
    assert wrong == {}
    assert hidden
    assert all(one == hidden[0] for one in hidden)


@pytest.mark.parametrize(
    "operation",
    [one for one in OPERATIONS if one.scope is not Scope.CONVERSATION],
    ids=lambda one: one.name,
)
async def test_what_lies_beyond_tells_a_stranger_nothing(app, operation) -> None:
    """A private conversation does not show where no membership is asked for."""
    place = await build(app, ConversationKind.GROUP, "normal", "never")
    missing = await build(app, ConversationKind.GROUP, "missing", "never")
    answers = [await ask_beyond(app, operation, one) for one in (place, missing)]
    assert answers[0] == answers[1]
    assert place.place_id not in str(answers[0])


async def ask_beyond(app: MatrixApp, operation: Operation, place: Place):
    """Do an operation that asks for no membership; return status and body."""
    method, _, rest = operation.name.partition(" ")
    if method == "socket":
        payloads = {
            "conversation.unsubscribe": {"conversation_ids": [place.place_id]},
            "presence.set": {"status": "away"},
            "token.renew": {"token": "x"},
        }
        outcome = await app.socket(place.actor, rest, payloads.get(rest, {}))
        return outcome.code, outcome.body
    bodies = {
        "POST /api/v1/conversations": {"kind": "group", "title": " "},
        "PATCH /api/v1/scheduled/{scheduled_id}": {"text": "later"},
        "POST /api/v1/conversations/invites/accept": {"token": place.invite_id},
    }
    queries = {"/api/v1/sync/own": "?since=0"}
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
