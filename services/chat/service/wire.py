"""The one shape of messages, conversations and members on every wire.

REST answers and live events show the same fields; `schemas` states the same for
OpenAPI and a test holds both together.
"""

from collections.abc import Sequence

import msgspec

from services.chat.domain.amendment import RULES
from services.chat.domain.conversation import (
    Conversation,
    Member,
    first_unread_seq,
    unread_count,
)
from services.chat.domain.message import Message, Version
from services.chat.domain.notice import Notice
from services.chat.domain.reactions import USERS_SHOWN_MAX

Wire = dict[str, object]
TYPING_SECONDS = 5
UNTOUCHED: Wire = {
    "reactions": (),
    "pinned_by": None,
    "pinned_at": None,
    "reply_count": 0,
    "last_reply_seq": None,
    "edit_count": 0,
    "is_deleted": False,
    "edited_at": None,
}
"""What nobody has done yet to a message that was just sent."""
GONE: Wire = {
    "notice": None,
    "attachments": (),
    "mentions": (),
    "mention_kinds": (),
    "forwarded_from": None,
    "reactions": (),
    "pinned_by": None,
    "pinned_at": None,
}
"""What goes with a deleted message's text."""


def message_wire(message: Message) -> Wire:
    """Return a message as clients see it."""
    pin, origin = message.pin, message.forwarded_from
    return {
        "message_id": message.message_id,
        "client_message_id": message.client_message_id,
        "seq": message.seq,
        "revision": message.revision,
        "kind": message.kind,
        "sender_id": message.sender_id,
        "sent_at": message.sent_at,
        "text": message.text,
        "notice": notice_wire(message.notice),
        "attachments": message.attachments,
        "mentions": message.mentions,
        "mention_kinds": message.mention_kinds,
        "reply_to_seq": message.reply_to_seq,
        "thread_seq": message.thread_seq,
        "forwarded_from": None if origin is None else msgspec.structs.asdict(origin),
        "reactions": tuple(
            reaction_wire(reaction.emoji, reaction.user_ids, len(reaction.user_ids))
            for reaction in message.reactions
        ),
        "pinned_by": None if pin is None else pin.user_id,
        "pinned_at": None if pin is None else pin.pinned_at,
        "reply_count": message.reply_count,
        "last_reply_seq": message.last_reply_seq,
        "edit_count": message.edit_count,
        "is_deleted": message.is_deleted,
        "edited_at": message.edited_at,
    }


def notice_wire(notice: Notice | None) -> Wire | None:
    """Return what a system message tells."""
    if notice is None:
        return None
    return {
        "type": notice.type,
        "user_id": notice.user_id,
        "title": notice.title,
    }


def reaction_wire(emoji: str, user_ids: Sequence[str], count: int) -> Wire:
    """Return who reacts with an emoji: the first of them, and how many they are."""
    return {"emoji": emoji, "user_ids": user_ids[:USERS_SHOWN_MAX], "count": count}


def conversation_wire(conversation: Conversation) -> Wire:
    """Return a conversation without anything of one member's own."""
    return {
        "conversation_id": conversation.conversation_id,
        "kind": conversation.kind,
        "title": conversation.title,
        "topic": conversation.topic,
        "avatar_document_id": conversation.avatar_document_id,
        "project_id": conversation.project_id,
        "created_by": conversation.created_by,
        "created_at": conversation.created_at,
        "first_seq": conversation.first_seq,
        "last_seq": conversation.last_seq,
        "last_message_at": conversation.last_message_at,
        "revision": conversation.revision,
        "is_archived": conversation.is_archived,
        "direct_user_ids": conversation.pair,
        **{name: getattr(conversation, name) for name in RULES},
    }


def seen_wire(conversation: Conversation, member: Member) -> Wire:
    """Return a conversation as one member sees it."""
    return {
        **conversation_wire(conversation),
        "role": member.role,
        "read_seq": member.read_seq,
        "unread": unread_count(conversation, member),
        "first_unread_seq": first_unread_seq(conversation, member),
        "visible_from_seq": member.visible_from_seq,
    }


def member_wire(member: Member) -> Wire:
    """Return a membership as the other members see it."""
    return {
        "user_id": member.user_id,
        "role": member.role,
        "joined_at": member.joined_at,
        "read_seq": member.read_seq,
        "is_active": member.is_active,
        "revision": member.revision,
    }


def version_wire(message: Message, version: Version) -> Wire:
    """Return what a message said before an edit."""
    return {
        "message_id": message.message_id,
        "number": version.number,
        "text": version.text,
        "written_at": version.written_at,
    }


def message_event(message: Message) -> Wire:
    """Return the live payload of a message."""
    return {
        "conversation_id": message.conversation_id,
        "revision": message.revision,
        "message": message_wire(message),
    }


def typing_wire(conversation_id: str, user_id: str) -> Wire:
    """Return that somebody types, and how long it counts."""
    return {
        "conversation_id": conversation_id,
        "user_id": user_id,
        "expires_in_seconds": TYPING_SECONDS,
    }
