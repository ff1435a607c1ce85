"""From an event on the wire to what the sockets see.

Content is opened only if somebody here listens: most events of a large
installation pass by a process at the cost of one look-up.
"""

import msgspec
import structlog

from libs.crypto import DecryptError
from libs.crypto.sealed import Sealed
from libs.events import Event, EventHead
from libs.events.catalog.conversation import (
    ConversationArchived,
    ConversationCreated,
    ConversationDeleted,
    ConversationMemberAdded,
    ConversationMemberRemoved,
    ConversationRead,
    ConversationRoleChanged,
    ConversationTrimmed,
    ConversationUpdated,
)
from libs.events.catalog.message import (
    MessageDeleted,
    MessageEdited,
    MessagePinned,
    MessageReacted,
    MessageScheduleFailed,
    MessageSent,
    MessageUnpinned,
)
from libs.kernel import AppError, ConversationId, EventId, UserId
from services.chat.domain.message import MessageKind, decode_body
from services.chat.domain.notice import decode_notice
from services.chat.ports import ConversationRepository, Rooms, TransportSealer
from services.chat.service.items import (
    LiveItem,
    conversation_room,
    deleted_item,
    user_room,
)
from services.chat.service.live import LiveDelivery
from services.chat.service.wire import (
    GONE,
    UNTOUCHED,
    Wire,
    notice_wire,
    reaction_wire,
    typing_wire,
)

_log = structlog.get_logger()


class LiveFeed:
    """Turns events into live items.

    Args:
        live: Orders and delivers per conversation.
        rooms: For what has no revision: read markers, typing.
        sealer: Opens the private fields.
    """

    def __init__(
        self,
        live: LiveDelivery,
        rooms: Rooms,
        conversations: ConversationRepository,
        sealer: TransportSealer,
    ) -> None:
        self._live = live
        self._rooms = rooms
        self._conversations = conversations
        self._sealer = sealer

    def awaits(self, head: EventHead) -> bool:
        """Tell whether an event may be news here; a message is only once.

        What the commit told the sockets at once comes by the broker again, and most
        conversations of a large installation have nobody here.
        """
        self._live.heard()
        if head.type != MessageSent.event_type or head.sequence is None:
            return True
        return self._live.awaits(head.key, head.sequence)

    def take(self, event: Event, event_id: EventId) -> None:
        """Deliver an event that has a revision; others are ignored."""
        self._live.heard()
        match event:
            case MessageSent():
                self.message_sent(event, event_id)
            case MessageEdited():
                self.message_edited(event, event_id)
            case ConversationCreated():
                self.conversation_created(event, event_id)
            case ConversationUpdated():
                self.conversation_updated(event, event_id)
            case _:
                self._take_open(event)

    def _take_open(self, event: Event) -> None:
        """Deliver an event without private fields."""
        match event:
            case MessageDeleted():
                self.message_deleted(event)
            case MessageReacted():
                self.message_reacted(event)
            case MessagePinned() | MessageUnpinned():
                self.message_pinned(event)
            case ConversationArchived() | ConversationTrimmed():
                self.conversation_cut(event)
            case ConversationDeleted():
                self.conversation_deleted(event)
            case ConversationMemberAdded() | ConversationRoleChanged():
                self.member_changed(event)
            case ConversationMemberRemoved():
                self.member_removed(event)

    def message_sent(self, event: MessageSent, event_id: EventId) -> None:
        """Deliver a new message."""
        if not self._live.is_watched(event.conversation_id):
            return
        is_system = event.kind == MessageKind.SYSTEM
        origin = event.forwarded_from
        content = self._open(event, event.content, "content", event_id)
        message: Wire = {
            "message_id": event.message_id,
            "client_message_id": event.client_message_id,
            "seq": event.seq,
            "revision": event.revision,
            "kind": event.kind,
            "sender_id": event.sender_id,
            "sent_at": event.sent_at,
            "text": None if content is None or is_system else decode_body(content),
            "notice": _notice(content) if is_system else None,
            "attachments": event.attachments,
            "mentions": event.mentions,
            "mention_kinds": event.mention_kinds,
            "reply_to_seq": event.reply_to_seq,
            "thread_seq": event.thread_seq,
            "forwarded_from": origin and msgspec.structs.asdict(origin),
            **UNTOUCHED,
        }
        self._offer(event.conversation_id, event, {"message": message})

    def message_edited(self, event: MessageEdited, event_id: EventId) -> None:
        """Deliver what an edit changed; only the author edits."""
        if not self._live.is_watched(event.conversation_id):
            return
        message: Wire = {
            "message_id": event.message_id,
            "seq": event.seq,
            "revision": event.revision,
            "sender_id": event.edited_by,
            "text": self._text(event, event.content, event_id),
            "mentions": event.mentions,
            "mention_kinds": event.mention_kinds,
            "is_deleted": False,
            "edited_at": event.edited_at,
        }
        self._offer(event.conversation_id, event, {"message": message})

    def message_deleted(self, event: MessageDeleted) -> None:
        """Deliver a deletion."""
        message: Wire = {
            "message_id": event.message_id,
            "seq": event.seq,
            "revision": event.revision,
            "text": None,
            **GONE,
            "is_deleted": True,
        }
        self._offer(
            event.conversation_id,
            event,
            {"message": message, "deleted_by": event.deleted_by},
        )

    def message_reacted(self, event: MessageReacted) -> None:
        """Deliver who reacts with an emoji now, and who just did or took it back."""
        extra: Wire = {
            "message": _changed_message(event),
            "reaction": reaction_wire(event.emoji, event.user_ids, event.count),
            "user_id": event.user_id,
            "is_added": event.is_added,
        }
        self._offer(event.conversation_id, event, extra)

    def message_pinned(self, event: MessagePinned | MessageUnpinned) -> None:
        """Deliver that a message was pinned, or taken off."""
        message = _changed_message(event)
        if isinstance(event, MessagePinned):
            message |= {"pinned_by": event.pinned_by, "pinned_at": event.pinned_at}
        else:
            message |= {"pinned_by": None, "pinned_at": None}
        self._offer(event.conversation_id, event, {"message": message})

    def schedule_failed(self, event: MessageScheduleFailed) -> None:
        """Tell a user's own sockets that a scheduled message was not sent."""
        self._live.heard()
        payload: Wire = {
            "scheduled_id": event.scheduled_id,
            "conversation_id": event.conversation_id,
            "code": event.code,
        }
        self._rooms.emit((user_room(event.user_id),), event.event_type, payload)

    def conversation_created(
        self, event: ConversationCreated, event_id: EventId
    ) -> None:
        """Tell its members' own sockets about a new conversation."""
        own_rooms = tuple(user_room(user_id) for user_id, _ in event.members)
        rooms = tuple(room for room in own_rooms if self._rooms.has(room))
        if not rooms:
            return
        conversation: Wire = {
            "conversation_id": event.conversation_id,
            "kind": event.kind,
            "title": self._field(event, event.title, "title", event_id),
            "topic": self._field(event, event.topic, "topic", event_id),
            "project_id": event.project_id,
            "created_by": event.created_by,
            "revision": event.revision,
            **msgspec.structs.asdict(event.rules),
            "member_ids": [user_id for user_id, _ in event.members],
        }
        payload = _with_place(event.conversation_id, event.revision)
        self._rooms.emit(
            rooms, event.event_type, payload | {"conversation": conversation}
        )

    def conversation_updated(
        self, event: ConversationUpdated, event_id: EventId
    ) -> None:
        """Deliver another title, topic, avatar or rule."""
        if not self._live.is_watched(event.conversation_id):
            return
        changed: Wire = {
            "title": self._field(event, event.title, "title", event_id),
            "topic": self._field(event, event.topic, "topic", event_id),
            "avatar_document_id": event.avatar_document_id,
            **msgspec.structs.asdict(event.rules),
        }
        self._offer(
            event.conversation_id,
            event,
            {"conversation": changed, "updated_by": event.updated_by},
        )

    def conversation_cut(
        self, event: ConversationArchived | ConversationTrimmed
    ) -> None:
        """Deliver that it became read-only or is back, or lost its oldest messages."""
        changed: Wire
        if isinstance(event, ConversationArchived):
            changed = {"is_archived": event.is_archived}
        else:
            changed = {"first_seq": event.first_seq}
        self._offer(event.conversation_id, event, {"conversation": changed})

    def conversation_deleted(self, event: ConversationDeleted) -> None:
        """Deliver that it is gone; nothing more comes to its room."""
        self._live.offer(
            ConversationId(event.conversation_id),
            event.revision,
            deleted_item(event.conversation_id, event.revision),
        )

    def member_changed(
        self, event: ConversationMemberAdded | ConversationRoleChanged
    ) -> None:
        """Deliver a new member or role, to the user's own sockets too."""
        member: Wire = {
            "user_id": event.user_id,
            "role": event.role,
            "is_active": True,
            "revision": event.revision,
        }
        self._offer_member(event, member, None)

    def member_removed(self, event: ConversationMemberRemoved) -> None:
        """Deliver a removal; after it the removed member's sockets leave."""
        member: Wire = {
            "user_id": event.user_id,
            "is_active": False,
            "revision": event.revision,
        }
        self._offer_member(event, member, UserId(event.user_id))

    def read(self, event: ConversationRead) -> None:
        """Deliver a read marker; it has no revision."""
        self._live.heard()
        payload: Wire = {
            "conversation_id": event.conversation_id,
            "user_id": event.user_id,
            "read_seq": event.read_seq,
        }
        everybody = conversation_room(event.conversation_id)
        room = everybody if event.has_receipts else user_room(event.user_id)
        self._rooms.emit((room,), "receipt.read", payload)

    def typing(self, conversation_id: ConversationId, user_id: UserId) -> None:
        """Deliver that somebody types, to the others."""
        payload = typing_wire(conversation_id, user_id)
        rooms = (conversation_room(conversation_id),)
        self._rooms.emit(rooms, "typing.started", payload, except_users=(user_id,))

    def _offer(self, conversation_id: str, event: Event, extra: Wire) -> None:
        revision = event.event_sequence or 0
        payload = _with_place(conversation_id, revision) | extra
        self._live.offer(
            ConversationId(conversation_id),
            revision,
            LiveItem(event.event_type, payload, seq=getattr(event, "seq", None)),
        )

    def _offer_member(
        self,
        event: (
            ConversationMemberAdded
            | ConversationMemberRemoved
            | ConversationRoleChanged
        ),
        member: Wire,
        removed_id: UserId | None,
    ) -> None:
        conversation_id = ConversationId(event.conversation_id)
        payload = _with_place(conversation_id, event.revision)
        payload["member"] = member
        own_room = user_room(event.user_id)
        if self._live.is_watched(conversation_id):
            item = LiveItem(event.event_type, payload, removed_id, (own_room,))
            self._live.offer(conversation_id, event.revision, item)
        else:
            self._rooms.emit((own_room,), event.event_type, payload)

    def _text(self, event: Event, content: Sealed, event_id: EventId) -> str | None:
        opened = self._open(event, content, "content", event_id)
        return None if opened is None else decode_body(opened)

    def _field(
        self, event: Event, sealed: Sealed | None, field: str, event_id: EventId
    ) -> str | None:
        return None if sealed is None else self._open(event, sealed, field, event_id)

    def _open(
        self, event: Event, sealed: Sealed, field: str, event_id: EventId
    ) -> str | None:
        """Open a private field; what cannot be opened is shown as absent."""
        context = (event_id, event.event_type, field, event.event_key)
        try:
            return self._sealer.open(sealed, *context)
        except (DecryptError, AppError):
            _log.error("event_content_unreadable", event_type=event.event_type)
            return None


def _changed_message(
    event: MessageReacted | MessagePinned | MessageUnpinned,
) -> Wire:
    return {
        "message_id": event.message_id,
        "seq": event.seq,
        "revision": event.revision,
    }


def _notice(content: str | None) -> Wire | None:
    return notice_wire(None if content is None else decode_notice(content))


def _with_place(conversation_id: str, revision: int) -> Wire:
    return {"conversation_id": conversation_id, "revision": revision}
