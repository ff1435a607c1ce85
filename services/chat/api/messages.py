"""Routes of messages: send, read, edit, delete."""

from fastapi import APIRouter

from libs.chassis.pagination import (
    DEFAULT_LIMIT,
    Limit,
    Page,
)
from libs.kernel import (
    DocumentId,
    InvalidError,
    UserId,
)
from services.chat.api.cursors import number_cursor, number_place
from services.chat.api.dependencies import (
    Caller,
    ConversationPath,
    Cursor,
    MessagePath,
    SeqBound,
    TalkUse,
)
from services.chat.domain.message import Draft
from services.chat.schemas import (
    EditMessage,
    MessagePage,
    MessageResource,
    SendMessage,
    SentMessage,
    VersionResource,
    message_resource,
    sent_message,
)
from services.chat.service.messages import Edit

router = APIRouter(prefix="/api/v1/conversations", tags=["messages"])


@router.post("/{conversation_id}/messages", status_code=201)
async def send_message(
    conversation_id: ConversationPath,
    body: SendMessage,
    caller: Caller,
    talk: TalkUse,
) -> SentMessage:
    """Append a message; the same client_message_id answers with the first one."""
    draft = Draft(
        conversation_id=conversation_id,
        sender_id=caller,
        client_message_id=body.client_message_id,
        text=body.text,
        attachments=tuple(DocumentId(attachment) for attachment in body.attachments),
        mentions=tuple(UserId(mention) for mention in body.mentions),
        mention_kinds=tuple(dict.fromkeys(body.mention_kinds)),
        reply_to_seq=body.reply_to_seq,
        thread_seq=body.thread_seq,
    )
    return sent_message(await talk.messages.send(draft))


@router.get("/{conversation_id}/messages")
async def list_messages(
    conversation_id: ConversationPath,
    caller: Caller,
    talk: TalkUse,
    *,
    before: SeqBound = None,
    after: SeqBound = None,
    around: SeqBound = None,
    limit: Limit = DEFAULT_LIMIT,
) -> MessagePage:
    """Return history next to a seq: below `before`, above `after`, or on both sides."""
    if sum(bound is not None for bound in (before, after, around)) > 1:
        raise InvalidError("bounds_conflict", "Give one of before, after and around.")
    page = await talk.messages.page(
        caller,
        conversation_id,
        before=before,
        after=after,
        around=around,
        limit=limit,
    )
    return MessagePage.of(page)


@router.get("/{conversation_id}/messages/{message_id}")
async def get_message(
    conversation_id: ConversationPath,
    message_id: MessagePath,
    caller: Caller,
    talk: TalkUse,
) -> MessageResource:
    """Return one message."""
    return message_resource(
        await talk.messages.get(caller, conversation_id, message_id)
    )


@router.patch("/{conversation_id}/messages/{message_id}")
async def edit_message(
    conversation_id: ConversationPath,
    message_id: MessagePath,
    body: EditMessage,
    caller: Caller,
    talk: TalkUse,
) -> SentMessage:
    """Change an own message; what it said before is kept as a version."""
    edit = Edit(
        text=body.text,
        mentions=tuple(UserId(mention) for mention in body.mentions),
        mention_kinds=tuple(dict.fromkeys(body.mention_kinds)),
    )
    return sent_message(
        await talk.messages.edit(caller, conversation_id, message_id, edit)
    )


@router.get("/{conversation_id}/messages/{message_id}/edits")
async def list_versions(
    conversation_id: ConversationPath,
    message_id: MessagePath,
    caller: Caller,
    talk: TalkUse,
    *,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[VersionResource]:
    """List what a message said before its edits, the newest first."""
    found, following = await talk.messages.versions(
        caller,
        conversation_id,
        message_id,
        before=number_place(cursor),
        limit=limit,
    )
    return Page[VersionResource](
        items=[
            VersionResource(number=v.number, text=v.text, written_at=v.written_at)
            for v in found
        ],
        next_cursor=None if following is None else number_cursor(following),
    )


@router.delete("/{conversation_id}/messages/{message_id}", status_code=204)
async def delete_message(
    conversation_id: ConversationPath,
    message_id: MessagePath,
    caller: Caller,
    talk: TalkUse,
) -> None:
    """Turn a message into a tombstone, which keeps its seq."""
    await talk.messages.delete(caller, conversation_id, message_id)
