"""Routes of messages: send, read, edit, delete."""

from fastapi import APIRouter

from libs.chassis.pagination import (
    DEFAULT_LIMIT,
    Limit,
)
from libs.kernel import (
    DocumentId,
    InvalidError,
    UserId,
)
from services.chat.api.dependencies import (
    Caller,
    ConversationPath,
    MessagePath,
    MessagesUse,
    SeqBound,
)
from services.chat.domain.message import Draft
from services.chat.schemas import (
    EditMessage,
    MessagePage,
    SendMessage,
    SentMessage,
)
from services.chat.service.messages import Edit
from services.chat.service.wire import message_event

router = APIRouter(prefix="/api/v1/conversations", tags=["conversations"])


@router.post("/{conversation_id}/messages", status_code=201)
async def send_message(
    conversation_id: ConversationPath,
    body: SendMessage,
    caller: Caller,
    messages: MessagesUse,
) -> SentMessage:
    """Append a message; the same client_message_id answers with the first one."""
    draft = Draft(
        conversation_id=conversation_id,
        sender_id=caller,
        client_message_id=body.client_message_id,
        text=body.text,
        attachments=tuple(DocumentId(attachment) for attachment in body.attachments),
        mentions=tuple(UserId(mention) for mention in body.mentions),
        reply_to_seq=body.reply_to_seq,
    )
    return SentMessage.model_validate(message_event(await messages.send(draft)))


@router.get("/{conversation_id}/messages")
async def list_messages(
    conversation_id: ConversationPath,
    caller: Caller,
    messages: MessagesUse,
    *,
    before: SeqBound = None,
    after: SeqBound = None,
    limit: Limit = DEFAULT_LIMIT,
) -> MessagePage:
    """Return history next to a seq: right below `before` or right above `after`."""
    if before is not None and after is not None:
        raise InvalidError("bounds_conflict", "Give before or after, not both.")
    page = await messages.page(
        caller, conversation_id, before=before, after=after, limit=limit
    )
    return MessagePage.of(page)


@router.patch("/{conversation_id}/messages/{message_id}")
async def edit_message(
    conversation_id: ConversationPath,
    message_id: MessagePath,
    body: EditMessage,
    caller: Caller,
    messages: MessagesUse,
) -> SentMessage:
    """Change an own message."""
    edit = Edit(text=body.text, mentions=tuple(UserId(m) for m in body.mentions))
    edited = await messages.edit(caller, conversation_id, message_id, edit)
    return SentMessage.model_validate(message_event(edited))


@router.delete("/{conversation_id}/messages/{message_id}", status_code=204)
async def delete_message(
    conversation_id: ConversationPath,
    message_id: MessagePath,
    caller: Caller,
    messages: MessagesUse,
) -> None:
    """Turn a message into a tombstone, which keeps its seq."""
    await messages.delete(caller, conversation_id, message_id)
