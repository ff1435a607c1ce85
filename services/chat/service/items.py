"""What live delivery writes to which rooms."""

import msgspec

from libs.kernel import ConversationId, UserId
from services.chat.domain.conversation import Member
from services.chat.domain.message import Message
from services.chat.ports import Changes
from services.chat.service.wire import (
    Wire,
    conversation_wire,
    member_wire,
    message_event,
)


def conversation_room(conversation_id: str) -> str:
    """Name the room of those who watch a conversation."""
    return f"conversation:{conversation_id}"


def user_room(user_id: str) -> str:
    """Name the room of a user's own sockets."""
    return f"user:{user_id}"


class LiveItem(msgspec.Struct, frozen=True):
    """What goes to a room at one revision.

    Attributes:
        payload: What it says, perhaps encoded already; see `Rooms`.
        removed_id: Who leaves the room right after it.
        is_last: Whether everybody leaves the room right after it.
        extra_rooms: Users' own rooms that are told too.
        seq: Of the message that it is about; None: it is about no message.
    """

    event: str
    payload: Wire | bytes
    removed_id: UserId | None = None
    extra_rooms: tuple[str, ...] = ()
    is_last: bool = False
    seq: int | None = None


def items_of(
    conversation_id: ConversationId, changes: Changes
) -> list[tuple[int, LiveItem]]:
    """Turn stored state into what live events would have said, by revision."""
    items = [(m.revision, _message_item(m)) for m in changes.messages]
    items += [(m.revision, member_item(m, m.revision)) for m in changes.members]
    if changes.conversation is not None:
        revision = changes.conversation.changed_revision
        payload: Wire = {
            "conversation_id": conversation_id,
            "revision": revision,
            "conversation": conversation_wire(changes.conversation),
        }
        items.append((revision, LiveItem("conversation.updated", payload)))
    return sorted(items, key=lambda pair: pair[0])


def _message_item(message: Message) -> LiveItem:
    event = f"message.{message.last_change}"
    return LiveItem(event, message_event(message), seq=message.seq)


def member_item(member: Member, revision: int) -> LiveItem:
    """Return what a change of membership looks like live."""
    event = "member_added" if member.is_active else "member_removed"
    payload: Wire = {
        "conversation_id": member.conversation_id,
        "revision": revision,
        "member": member_wire(member),
    }
    return LiveItem(
        f"conversation.{event}",
        payload,
        removed_id=None if member.is_active else member.user_id,
        extra_rooms=(user_room(member.user_id),),
    )


def deleted_item(conversation_id: str, revision: int) -> LiveItem:
    """Return what the end of a conversation looks like live."""
    payload: Wire = {"conversation_id": conversation_id, "revision": revision}
    return LiveItem("conversation.deleted", payload, is_last=True)
