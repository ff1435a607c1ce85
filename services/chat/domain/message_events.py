"""What of a message its events tell, once the content is sealed."""

from libs.crypto.sealed import Sealed
from libs.events.catalog.message import (
    ForwardOrigin,
    MessageDeleted,
    MessageEdited,
    MessageReacted,
    MessageSent,
)
from libs.kernel import UserId
from services.chat.domain.message import Message, Origin
from services.chat.domain.reactions import USERS_SHOWN_MAX, reaction_of


def sent_event(message: Message, content: Sealed) -> MessageSent:
    """Return message.sent with the message's sealed content."""
    return MessageSent(
        conversation_id=message.conversation_id,
        message_id=message.message_id,
        client_message_id=message.client_message_id,
        seq=message.seq,
        revision=message.revision,
        sender_id=message.sender_id,
        sent_at=message.sent_at,
        kind=message.kind,
        content=content,
        mentions=message.mentions,
        mention_kinds=message.mention_kinds,
        attachments=message.attachments,
        reply_to_seq=message.reply_to_seq,
        thread_seq=message.thread_seq,
        forwarded_from=_origin(message.forwarded_from),
    )


def edited_event(message: Message, content: Sealed) -> MessageEdited:
    """Return message.edited with the message's sealed content; its sender edits."""
    return MessageEdited(
        conversation_id=message.conversation_id,
        message_id=message.message_id,
        seq=message.seq,
        revision=message.revision,
        edited_by=message.sender_id,
        edited_at=message.edited_at or message.sent_at,
        content=content,
        mentions=message.mentions,
        mention_kinds=message.mention_kinds,
    )


def deleted_event(message: Message, deleted_by: UserId) -> MessageDeleted:
    """Return message.deleted."""
    return MessageDeleted(
        conversation_id=message.conversation_id,
        message_id=message.message_id,
        seq=message.seq,
        revision=message.revision,
        deleted_by=deleted_by,
    )


def reacted_event(
    message: Message, user_id: UserId, emoji: str, *, is_added: bool
) -> MessageReacted:
    """Return message.reacted with who reacts with the emoji now."""
    now = reaction_of(message.reactions, emoji)
    return MessageReacted(
        conversation_id=message.conversation_id,
        message_id=message.message_id,
        seq=message.seq,
        revision=message.revision,
        user_id=user_id,
        emoji=emoji,
        is_added=is_added,
        user_ids=now.user_ids[:USERS_SHOWN_MAX],
        count=len(now.user_ids),
    )


def _origin(origin: Origin | None) -> ForwardOrigin | None:
    if origin is None:
        return None
    return ForwardOrigin(
        conversation_id=origin.conversation_id,
        message_id=origin.message_id,
        sender_id=origin.sender_id,
        sent_at=origin.sent_at,
    )
