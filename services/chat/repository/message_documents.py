"""Messages of ``parley_chat`` to the domain and back.

What is private of a message is its content: the JSON text of what was said, or of
what a system message tells. Absent fields cost nothing.
"""

from typing import Any

import structlog
from prometheus_client import Counter

from libs.crypto import DecryptError
from libs.kernel import ConversationId, DocumentId, MessageId, UserId
from services.chat.domain.message import (
    MentionKind,
    Message,
    MessageChange,
    MessageKind,
    Origin,
    Pin,
    content_of,
    decode_body,
)
from services.chat.domain.notice import Notice, decode_notice
from services.chat.domain.reactions import Reaction
from services.chat.repository.stubs import as_tombstone, is_stub
from services.chat.repository.vault import ConversationVault, MessagePlace

Document = dict[str, Any]  # what BSON holds

_IDS = ("attachments", "mentions", "mention_kinds")
_WHERE_SET = (
    "reply_to_seq",
    "thread_seq",
    "reply_count",
    "last_reply_seq",
    "edit_count",
    "is_deleted",
    "edited_at",
)
"""Fields that are absent where they are nothing: 0, false or None."""

_log = structlog.get_logger()
_UNREADABLE = Counter("chat_unreadable_messages_total", "Bodies that did not open")


def place_of(document: Document) -> MessagePlace:
    """Return what a stored message's content is bound to."""
    return MessagePlace(
        document["conversation_id"],
        document["_id"],
        document["sender_id"],
        document.get("edit_count", 0),
    )


def message_of(document: Document, vault: ConversationVault) -> Message:
    """Open a stored message; the keys of its conversation must be known.

    One that was altered is shown without text, and logged: it must not hide the
    others of its page. Source: security.md CR-2.
    """
    if is_stub(document):
        document = as_tombstone(document)
    text, notice = _said(document, vault)
    return Message(
        message_id=MessageId(document["_id"]),
        conversation_id=ConversationId(document["conversation_id"]),
        client_message_id=document["client_message_id"],
        seq=document["seq"],
        revision=document["revision"],
        sender_id=UserId(document["sender_id"]),
        sent_at=document["sent_at"],
        text=text,
        kind=_kind_of(document),
        notice=notice,
        attachments=tuple(DocumentId(a) for a in document.get("attachments", ())),
        mentions=tuple(UserId(m) for m in document.get("mentions", ())),
        mention_kinds=tuple(map(MentionKind, document.get("mention_kinds", ()))),
        reply_to_seq=document.get("reply_to_seq"),
        thread_seq=document.get("thread_seq"),
        forwarded_from=_origin_of(document.get("forwarded_from")),
        reactions=tuple(map(_reaction_of, document.get("reactions", ()))),
        pin=_pin_of(document),
        reply_count=document.get("reply_count", 0),
        last_reply_seq=document.get("last_reply_seq"),
        edit_count=document.get("edit_count", 0),
        is_deleted=document.get("is_deleted", False),
        edited_at=document.get("edited_at"),
        last_change=_change_of(document),
    )


def message_document(message: Message, vault: ConversationVault) -> Document:
    """Return a message as it is stored."""
    document: Document = {
        "_id": message.message_id,
        "conversation_id": message.conversation_id,
        "client_message_id": message.client_message_id,
        "seq": message.seq,
        "revision": message.revision,
        "sender_id": message.sender_id,
        "sent_at": message.sent_at,
    }
    content = content_of(message)
    if content is not None:
        place = MessagePlace(
            message.conversation_id,
            message.message_id,
            message.sender_id,
            message.edit_count,
        )
        document["body"] = vault.seal_body(place, content)
    for name in _IDS:
        ids = getattr(message, name)
        if ids:
            document[name] = list(map(str, ids))
    for name in _WHERE_SET:
        value = getattr(message, name)
        if value:
            document[name] = value
    _put_rest(document, message)
    return document


def _put_rest(document: Document, message: Message) -> None:
    """Put what few messages have."""
    if message.last_change is not MessageChange.SENT:
        document["change"] = message.last_change.value
    if message.kind is not MessageKind.TEXT:
        document["kind"] = message.kind.value
    if message.forwarded_from is not None:
        document["forwarded_from"] = _origin_document(message.forwarded_from)
    if message.reactions:
        document["reactions"] = [
            {"emoji": reaction.emoji, "user_ids": list(reaction.user_ids)}
            for reaction in message.reactions
        ]
    if message.pin is not None:
        document["pinned_at"] = message.pin.pinned_at
        document["pinned_by"] = message.pin.user_id


def _said(
    document: Document, vault: ConversationVault
) -> tuple[str | None, Notice | None]:
    body = document.get("body")
    if body is None:
        return None, None
    try:
        content = vault.open_body(place_of(document), body)
    except DecryptError:
        _UNREADABLE.inc()
        _log.error("message_unreadable", message_id=document["_id"])
        return None, None
    if document.get("kind") == MessageKind.SYSTEM:
        return None, decode_notice(content)
    return decode_body(content), None


def _kind_of(document: Document) -> MessageKind:
    return MessageKind(document["kind"]) if "kind" in document else MessageKind.TEXT


def _change_of(document: Document) -> MessageChange:
    """Return the last change; what was stored before it was written down has one."""
    stored = document.get("change")
    if stored is not None:
        return MessageChange(stored)
    if document.get("is_deleted"):
        return MessageChange.DELETED
    is_edited = document.get("edited_at") is not None
    return MessageChange.EDITED if is_edited else MessageChange.SENT


def _reaction_of(document: Document) -> Reaction:
    user_ids = tuple(UserId(user_id) for user_id in document["user_ids"])
    return Reaction(document["emoji"], user_ids)


def _pin_of(document: Document) -> Pin | None:
    if "pinned_at" not in document:
        return None
    return Pin(UserId(document["pinned_by"]), document["pinned_at"])


def _origin_of(document: Document | None) -> Origin | None:
    if document is None:
        return None
    return Origin(
        conversation_id=ConversationId(document["conversation_id"]),
        message_id=MessageId(document["message_id"]),
        sender_id=UserId(document["sender_id"]),
        sent_at=document["sent_at"],
    )


def _origin_document(origin: Origin) -> Document:
    return {
        "conversation_id": origin.conversation_id,
        "message_id": origin.message_id,
        "sender_id": origin.sender_id,
        "sent_at": origin.sent_at,
    }
