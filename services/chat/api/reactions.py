"""Routes of reactions and of pinned messages."""

from typing import Annotated

from fastapi import APIRouter, Path

from libs.chassis.pagination import (
    DEFAULT_LIMIT,
    Limit,
    Page,
    cursor_id,
    encode_cursor,
)
from libs.kernel import MessageId, UserId
from services.chat.api.cursors import time_cursor, time_place
from services.chat.api.dependencies import (
    Caller,
    ConversationPath,
    Cursor,
    MessagePath,
    TalkUse,
)
from services.chat.ports import PinnedAt
from services.chat.schemas import (
    MessageResource,
    SentMessage,
    message_resource,
    sent_message,
)

router = APIRouter(prefix="/api/v1/conversations", tags=["messages"])

Emoji = Annotated[str, Path(min_length=1, max_length=64)]


@router.put("/{conversation_id}/messages/{message_id}/reactions/{emoji}")
async def add_reaction(
    conversation_id: ConversationPath,
    message_id: MessagePath,
    emoji: Emoji,
    caller: Caller,
    talk: TalkUse,
) -> SentMessage:
    """React to a message; again it changes nothing."""
    message = await talk.reactions.react(
        caller, conversation_id, message_id, emoji, is_added=True
    )
    return sent_message(message)


@router.delete("/{conversation_id}/messages/{message_id}/reactions/{emoji}")
async def remove_reaction(
    conversation_id: ConversationPath,
    message_id: MessagePath,
    emoji: Emoji,
    caller: Caller,
    talk: TalkUse,
) -> SentMessage:
    """Take an own reaction back; again it changes nothing."""
    message = await talk.reactions.react(
        caller, conversation_id, message_id, emoji, is_added=False
    )
    return sent_message(message)


@router.get("/{conversation_id}/messages/{message_id}/reactions/{emoji}")
async def list_reacting_users(
    conversation_id: ConversationPath,
    message_id: MessagePath,
    emoji: Emoji,
    caller: Caller,
    *,
    talk: TalkUse,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[UserId]:
    """List who reacts with an emoji, in the order of their reactions."""
    after = cursor_id(cursor, "after")
    found, following = await talk.reactions.users(
        caller,
        conversation_id,
        message_id,
        emoji,
        after=None if after is None else UserId(after),
        limit=limit,
    )
    return Page[UserId](
        items=list(found),
        next_cursor=None if following is None else encode_cursor({"after": following}),
    )


@router.get("/{conversation_id}/pins")
async def list_pins(
    conversation_id: ConversationPath,
    caller: Caller,
    talk: TalkUse,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[MessageResource]:
    """List the pinned messages, the last pinned first."""
    place = time_place(cursor)
    before = None if place is None else PinnedAt(place[0], MessageId(place[1]))
    found, following = await talk.pins.page(
        caller, conversation_id, before=before, limit=limit
    )
    return Page[MessageResource](
        items=[message_resource(message) for message in found],
        next_cursor=None if following is None else time_cursor(*following),
    )


@router.put("/{conversation_id}/messages/{message_id}/pin")
async def pin_message(
    conversation_id: ConversationPath,
    message_id: MessagePath,
    caller: Caller,
    talk: TalkUse,
) -> SentMessage:
    """Pin a message; one that is pinned stays as it is."""
    return sent_message(await talk.pins.pin(caller, conversation_id, message_id))


@router.delete("/{conversation_id}/messages/{message_id}/pin")
async def unpin_message(
    conversation_id: ConversationPath,
    message_id: MessagePath,
    caller: Caller,
    talk: TalkUse,
) -> SentMessage:
    """Take a pinned message off; one that is not pinned stays as it is."""
    return sent_message(await talk.pins.unpin(caller, conversation_id, message_id))
