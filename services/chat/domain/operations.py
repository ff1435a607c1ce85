"""Every way in, and what it asks of the caller: the table of routes and events.

A route or socket event that is not here fails a test; each row is tested for every
role, kind and state of a conversation; and `docs/permissions.md` is made from it.
"""

from enum import StrEnum

import msgspec

from services.chat.domain.permissions import Action

_CONVERSATION = "/api/v1/conversations/{conversation_id}"
_MESSAGE = f"{_CONVERSATION}/messages/{{message_id}}"
_THREAD = f"{_CONVERSATION}/threads/{{thread_seq}}"


class Scope(StrEnum):
    """Whose rights decide."""

    CONVERSATION = "conversation"
    """The caller's as a member; who is none is told that it is missing."""

    OPEN = "open"
    """Nobody is a member yet: a rule of the operation's own decides."""

    OWN = "own"
    """The caller sees what is their own alone."""


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One way in, or one of its variants.

    Attributes:
        name: Method and path of a route, or ``socket`` and the event.
        action: What a member's role must allow; None outside `Scope.CONVERSATION`.
        variant: Which of the things it can do, where they ask for other actions.
        is_paced: Whether slow mode makes its callers wait.
        is_on_message: Whether it names a message, or one by its thread. One that is
            hidden from the caller is as if it were missing, whatever their role.
    """

    name: str
    action: Action | None = None
    variant: str = ""
    scope: Scope = Scope.CONVERSATION
    is_paced: bool = False
    is_on_message: bool = False


def _on(name: str, action: Action, variant: str = "") -> Operation:
    return Operation(name=name, action=action, variant=variant)


def _said(name: str, action: Action) -> Operation:
    return Operation(name=name, action=action, is_paced=True)


def _message(
    name: str, action: Action, variant: str = "", *, is_paced: bool = False
) -> Operation:
    return Operation(
        name=name,
        action=action,
        variant=variant,
        is_paced=is_paced,
        is_on_message=True,
    )


def _beyond(name: str, scope: Scope) -> Operation:
    return Operation(name=name, scope=scope)


OPERATIONS: tuple[Operation, ...] = (
    # Conversations.
    _beyond("POST /api/v1/conversations", Scope.OPEN),
    _beyond("GET /api/v1/conversations", Scope.OWN),
    _on(f"GET {_CONVERSATION}", Action.READ),
    _on(f"PATCH {_CONVERSATION}", Action.UPDATE, "title"),
    _on(f"PATCH {_CONVERSATION}", Action.UPDATE, "topic"),
    _on(f"PATCH {_CONVERSATION}", Action.UPDATE, "avatar"),
    _on(f"PATCH {_CONVERSATION}", Action.CONFIGURE, "rules"),
    _on(f"PATCH {_CONVERSATION}", Action.ARCHIVE, "is_archived"),
    _on(f"DELETE {_CONVERSATION}", Action.DELETE),
    # Who comes in.
    _beyond("GET /api/v1/conversations/channels", Scope.OPEN),
    _beyond(f"POST {_CONVERSATION}/join", Scope.OPEN),
    _beyond("POST /api/v1/conversations/invites/accept", Scope.OPEN),
    _on(f"POST {_CONVERSATION}/invites", Action.INVITE),
    _on(f"GET {_CONVERSATION}/invites", Action.INVITE),
    _on(f"DELETE {_CONVERSATION}/invites/{{invite_id}}", Action.INVITE),
    # Who is in.
    _on(f"GET {_CONVERSATION}/members", Action.READ),
    _on(f"POST {_CONVERSATION}/members", Action.ADD_MEMBER, "by id"),
    _on(f"POST {_CONVERSATION}/members", Action.ADD_MEMBER, "by handle"),
    _on(f"PATCH {_CONVERSATION}/members/{{user_id}}", Action.CHANGE_ROLE),
    _on(f"DELETE {_CONVERSATION}/members/{{user_id}}", Action.REMOVE_MEMBER, "other"),
    _on(f"DELETE {_CONVERSATION}/members/{{user_id}}", Action.LEAVE, "self"),
    _on(f"POST {_CONVERSATION}/owner", Action.TRANSFER),
    _on(f"GET {_CONVERSATION}/bans", Action.BAN),
    _on(f"POST {_CONVERSATION}/bans", Action.BAN),
    _on(f"DELETE {_CONVERSATION}/bans/{{user_id}}", Action.BAN),
    # Messages.
    _on(f"GET {_CONVERSATION}/messages", Action.READ),
    _said(f"POST {_CONVERSATION}/messages", Action.SEND),
    _message(f"PATCH {_MESSAGE}", Action.EDIT_OWN, is_paced=True),
    _message(f"DELETE {_MESSAGE}", Action.DELETE_OWN, "own"),
    _message(f"DELETE {_MESSAGE}", Action.DELETE_ANY, "other's"),
    _message(f"GET {_MESSAGE}", Action.READ),
    _message(f"GET {_MESSAGE}/edits", Action.READ, "own"),
    _message(f"GET {_MESSAGE}/edits", Action.DELETE_ANY, "other's"),
    _message(f"PUT {_MESSAGE}/reactions/{{emoji}}", Action.REACT),
    _message(f"DELETE {_MESSAGE}/reactions/{{emoji}}", Action.REACT),
    _message(f"GET {_MESSAGE}/reactions/{{emoji}}", Action.READ),
    _message(f"PUT {_MESSAGE}/pin", Action.PIN),
    _message(f"DELETE {_MESSAGE}/pin", Action.PIN),
    _on(f"GET {_CONVERSATION}/pins", Action.READ),
    _on(f"GET {_CONVERSATION}/threads", Action.READ),
    _message(f"GET {_THREAD}", Action.READ),
    _message(f"GET {_THREAD}/messages", Action.READ),
    _message(f"PUT {_THREAD}/follow", Action.READ),
    _message(f"DELETE {_THREAD}/follow", Action.READ),
    _message(f"PUT {_THREAD}/read", Action.READ),
    _said(f"POST {_CONVERSATION}/forwards", Action.SEND),
    _on(f"POST {_CONVERSATION}/scheduled", Action.SEND),
    _beyond("GET /api/v1/scheduled", Scope.OWN),
    _beyond("PATCH /api/v1/scheduled/{scheduled_id}", Scope.OWN),
    _beyond("DELETE /api/v1/scheduled/{scheduled_id}", Scope.OWN),
    # Catching up, and what is the caller's own.
    _message(f"GET {_MESSAGE}/receipts", Action.READ),
    _on(f"GET {_CONVERSATION}/changes", Action.READ),
    _on(f"PUT {_CONVERSATION}/read", Action.READ),
    _on(f"PUT {_CONVERSATION}/draft", Action.DRAFT),
    _on(f"DELETE {_CONVERSATION}/draft", Action.READ),
    _on(f"PUT {_CONVERSATION}/mute", Action.READ),
    _message(f"PUT {_MESSAGE}/bookmark", Action.BOOKMARK),
    _beyond("GET /api/v1/me/export/chat", Scope.OWN),
    _beyond("GET /api/v1/sync/own", Scope.OWN),
    _beyond("POST /api/v1/sync", Scope.OWN),
    _beyond("GET /api/v1/drafts", Scope.OWN),
    _beyond("GET /api/v1/bookmarks", Scope.OWN),
    _beyond("DELETE /api/v1/bookmarks/{message_id}", Scope.OWN),
    # Who is there.
    _beyond("GET /api/v1/presence", Scope.OWN),
    _beyond("PUT /api/v1/presence/custom-status", Scope.OWN),
    _beyond("DELETE /api/v1/presence/custom-status", Scope.OWN),
    _beyond("PUT /api/v1/presence/last-seen", Scope.OWN),
    _beyond("GET /api/v1/presence/users", Scope.OPEN),
    # Sockets.
    _said("socket message.send", Action.SEND),
    _message("socket message.edit", Action.EDIT_OWN, is_paced=True),
    _message("socket message.delete", Action.DELETE_OWN, "own"),
    _message("socket message.delete", Action.DELETE_ANY, "other's"),
    _message("socket message.react", Action.REACT),
    _message("socket message.pin", Action.PIN),
    _said("socket message.forward", Action.SEND),
    _message("socket thread.read", Action.READ),
    _message("socket thread.follow", Action.READ),
    _on("socket conversation.subscribe", Action.READ),
    _on("socket receipt.read", Action.READ),
    _on("socket typing.start", Action.SEND),
    _on("socket presence.get", Action.READ),
    _beyond("socket conversation.unsubscribe", Scope.OWN),
    _beyond("socket own.subscribe", Scope.OWN),
    _beyond("socket sync", Scope.OWN),
    _beyond("socket presence.set", Scope.OWN),
    _beyond("socket status.set", Scope.OWN),
    _beyond("socket status.clear", Scope.OWN),
    _beyond("socket token.renew", Scope.OWN),
)
"""Every way in; in the order of the documentation."""
