"""Conversations in every kind and state, with somebody in every role: the cells."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

import msgspec

from libs.kernel import ConversationId, DocumentId, MessageId, UserId, new_id
from services.chat.domain.ban import Ban
from services.chat.domain.conversation import (
    Conversation,
    ConversationKind,
    Member,
    Role,
)
from services.chat.domain.invite import Invite
from services.chat.domain.message import Message
from services.chat.domain.operations import Operation
from services.chat.domain.user import User
from tests.unit.chat.matrix_app import MatrixApp
from tests.unit.chat.support import Chat, draft

ROLES = (*Role, "removed", "never", "banned")
OUTSIDE = ("removed", "never", "banned")
"""Who is no member now; who is banned was one."""

STATES = (
    "normal",
    "archived",
    "announcements",
    "slow",
    "hidden",
    "managed",
    "deleted",
    "missing",
)
"""`hidden`: all of its messages are from before the actor came in."""

IMPOSSIBLE = {
    ("direct", "announcements"),
    ("direct", "slow"),
    ("direct", "hidden"),
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
SAID = "said in this place"


@dataclass
class Place:
    """A conversation in a state, and who has to do with it.

    Attributes:
        actor: Who asks.
        keeper: Its owner, who banned the banned and made the invite.
        target: Another member, a guest.
        stranger: Somebody who is in nothing.
    """

    conversation: Conversation
    state: str
    role: str
    member: Member | None
    actor: UserId
    keeper: UserId
    target: UserId
    stranger: UserId
    banned: UserId
    handle: str
    invite_id: str
    own_message: MessageId
    other_message: MessageId
    avatar: DocumentId
    source: ConversationId
    source_message: MessageId
    now: datetime

    @property
    def place_id(self) -> ConversationId:
        """Which."""
        return self.conversation.conversation_id

    @property
    def exists(self) -> bool:
        """Whether there is anything."""
        return self.state not in ("deleted", "missing")

    @property
    def is_member(self) -> bool:
        """Whether the actor is in it."""
        return self.exists and self.role not in OUTSIDE

    @property
    def ownership(self) -> Member:
        """The keeper's membership."""
        found = _membership(self.conversation, self.keeper, Role.OWNER)
        assert found is not None
        return found

    @property
    def token(self) -> str:
        """The secret of its invite."""
        return token_of(self.invite_id)


def token_of(invite_id: str) -> str:
    """Return the secret of an invite that `build` made."""
    return f"token-of-{invite_id}"


async def build(
    app: MatrixApp,
    kind: ConversationKind,
    state: str,
    role: str,
    operation: Operation | None = None,
    *,
    is_public: bool = False,
) -> Place:
    """Store a conversation in a state, with the actor in a role."""
    chat, now = app.chat, app.chat.clock.now()
    actor, keeper, target, stranger, banned = (UserId(new_id()) for _ in range(5))
    handle = f"h{stranger[-12:]}"
    for user_id in (actor, keeper, target, stranger, banned):
        own = handle if user_id == stranger else None
        user = User(user_id=user_id, is_verified=True, handle=own)
        await chat.users.put(user, session=None)
    conversation = _conversation(kind, state, keeper, now, is_public=is_public)
    member = _membership(conversation, actor, role)
    place = Place(
        conversation=conversation,
        state=state,
        role=role,
        member=member,
        actor=actor,
        keeper=keeper,
        target=target,
        stranger=stranger,
        banned=banned,
        handle=handle,
        invite_id=new_id(),
        own_message=MessageId(new_id()),
        other_message=MessageId(new_id()),
        avatar=await chat.checked(actor),
        source=conversation.conversation_id,
        source_message=MessageId(new_id()),
        now=now,
    )
    if state != "missing":
        await _store(chat, place)
    if operation is not None and "forward" in operation.name:
        place.source = await chat.group(owner=actor)
        sent = await chat.messages.send(draft(place.source, actor))
        place.source_message = sent.message_id
    if state == "deleted":
        gone = msgspec.structs.replace(conversation, revision=2, members_version=2)
        await chat.store.delete(gone, before=conversation, session=None)
    return place


def _conversation(
    kind: ConversationKind,
    state: str,
    keeper: UserId,
    now: datetime,
    *,
    is_public: bool,
) -> Conversation:
    return Conversation(
        conversation_id=ConversationId(new_id()),
        kind=kind,
        title=None if kind is ConversationKind.DIRECT else "Title",
        project_id=None,
        created_by=keeper,
        created_at=now,
        last_seq=2,
        is_public=is_public,
        is_archived=state == "archived",
        is_announcement_only=state == "announcements",
        slow_mode_seconds=30 if state == "slow" else 0,
        is_managed=state == "managed",
    )


def _membership(
    conversation: Conversation, user_id: UserId, role: str
) -> Member | None:
    """Return somebody's part in it; who is out was an owner."""
    if role == "never":
        return None
    return Member(
        conversation_id=conversation.conversation_id,
        user_id=user_id,
        role=Role.OWNER if role in OUTSIDE else Role(role),
        joined_at=conversation.created_at,
        revision=1,
        is_active=role not in OUTSIDE,
    )


async def _store(chat: Chat, place: Place) -> None:
    """Put the conversation, its people, messages, bans and invite where they belong."""
    conversation, place_id = place.conversation, place.place_id
    if place.state == "hidden" and place.member is not None:
        first_seq = conversation.last_seq + 1
        place.member = msgspec.structs.replace(place.member, visible_from_seq=first_seq)
    members = [
        _membership(conversation, place.keeper, Role.OWNER),
        _membership(conversation, place.target, Role.GUEST),
        place.member,
    ]
    await chat.store.insert(conversation, list(filter(None, members)), session=None)
    said = ((place.own_message, place.actor), (place.other_message, place.target))
    for seq, (message_id, sender) in enumerate(said, start=1):
        chat.store.messages[message_id] = Message(
            message_id=message_id,
            conversation_id=place_id,
            client_message_id=new_id(),
            seq=seq,
            revision=1,
            sender_id=sender,
            sent_at=place.now,
            text=SAID,
        )
    for user_id in (place.banned, *([place.actor] if place.role == "banned" else [])):
        ban = Ban(
            conversation_id=place_id,
            user_id=user_id,
            banned_by=place.keeper,
            banned_at=place.now,
        )
        await chat.bans_store.put(ban, session=None)
    chat.invites_store.invites[place.invite_id] = Invite(
        invite_id=place.invite_id,
        conversation_id=place_id,
        token_hash=sha256(place.token.encode()).digest(),
        role=Role.MEMBER,
        created_by=place.keeper,
        created_at=place.now,
        expires_at=place.now + timedelta(days=1),
        uses_max=None,
    )
