"""Routes of forwarded messages, and of those that wait for their time."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from libs.chassis.pagination import DEFAULT_LIMIT, Limit, Page
from libs.kernel import ConversationId, DocumentId, MessageId, UserId, is_id
from services.chat.api.cursors import time_cursor, time_place
from services.chat.api.dependencies import (
    Caller,
    ConversationPath,
    Cursor,
    TalkUse,
)
from services.chat.domain.errors import ScheduledNotFoundError
from services.chat.domain.message import Draft
from services.chat.ports import DueAt
from services.chat.schemas import SentMessage, sent_message
from services.chat.schemas.threads import (
    ChangeScheduled,
    ForwardMessage,
    ScheduledResource,
    ScheduleMessage,
)

router = APIRouter(prefix="/api/v1", tags=["messages"])


async def _scheduled_id(
    scheduled_id: Annotated[str, Path(min_length=1, max_length=64)],
) -> str:
    if not is_id(scheduled_id):
        raise ScheduledNotFoundError  # what cannot be an id does not exist
    return scheduled_id


ScheduledPath = Annotated[str, Depends(_scheduled_id)]


@router.post("/conversations/{conversation_id}/forwards", status_code=201)
async def forward_message(
    conversation_id: ConversationPath,
    body: ForwardMessage,
    caller: Caller,
    talk: TalkUse,
) -> SentMessage:
    """Send a copy of a message here; the same client_message_id finds the first one."""
    source = (ConversationId(body.from_conversation_id), MessageId(body.message_id))
    message = await talk.forwarding.forward(
        caller,
        conversation_id,
        source,
        client_message_id=body.client_message_id,
        thread_seq=body.thread_seq,
    )
    return sent_message(message)


@router.post("/conversations/{conversation_id}/scheduled", status_code=201)
async def schedule_message(
    conversation_id: ConversationPath,
    body: ScheduleMessage,
    caller: Caller,
    talk: TalkUse,
) -> ScheduledResource:
    """Let a message be sent at a time, with the rights the caller has then."""
    draft = Draft(
        conversation_id=conversation_id,
        sender_id=caller,
        client_message_id="",
        text=body.text,
        attachments=tuple(DocumentId(attachment) for attachment in body.attachments),
        mentions=tuple(UserId(mention) for mention in body.mentions),
        mention_kinds=tuple(dict.fromkeys(body.mention_kinds)),
        reply_to_seq=body.reply_to_seq,
        thread_seq=body.thread_seq,
    )
    return ScheduledResource.of(await talk.scheduling.schedule(draft, body.due_at))


@router.get("/scheduled")
async def list_scheduled(
    caller: Caller,
    talk: TalkUse,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[ScheduledResource]:
    """List what the caller has scheduled, the next first, and what failed."""
    place = time_place(cursor)
    after = None if place is None else DueAt(*place)
    found, following = await talk.scheduling.page(caller, after=after, limit=limit)
    return Page[ScheduledResource](
        items=[ScheduledResource.of(scheduled) for scheduled in found],
        next_cursor=None if following is None else time_cursor(*following),
    )


@router.patch("/scheduled/{scheduled_id}")
async def change_scheduled(
    scheduled_id: ScheduledPath, body: ChangeScheduled, caller: Caller, talk: TalkUse
) -> ScheduledResource:
    """Say something else, or at another time; one that failed is tried again."""
    changed = await talk.scheduling.change(
        caller, scheduled_id, text=body.text, due_at=body.due_at
    )
    return ScheduledResource.of(changed)


@router.delete("/scheduled/{scheduled_id}", status_code=204)
async def cancel_scheduled(
    scheduled_id: ScheduledPath, caller: Caller, talk: TalkUse
) -> None:
    """Never send it."""
    await talk.scheduling.cancel(caller, scheduled_id)
