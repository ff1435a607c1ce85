"""Routes of threads."""

from typing import Annotated

from fastapi import APIRouter, Path

from libs.chassis.pagination import DEFAULT_LIMIT, Limit, Page
from libs.kernel import InvalidError
from services.chat.api.cursors import number_cursor, number_place
from services.chat.api.dependencies import (
    Caller,
    ConversationPath,
    Cursor,
    SeqBound,
    TalkUse,
)
from services.chat.schemas import MessagePage
from services.chat.schemas.threads import ReadThread, ThreadResource

router = APIRouter(prefix="/api/v1/conversations", tags=["messages"])

ThreadPath = Annotated[int, Path(ge=1, le=2**53)]


@router.get("/{conversation_id}/threads")
async def list_threads(
    conversation_id: ConversationPath,
    caller: Caller,
    talk: TalkUse,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[ThreadResource]:
    """List the threads, the last answered first."""
    found, following = await talk.threads.page(
        caller, conversation_id, before=number_place(cursor), limit=limit
    )
    return Page[ThreadResource](
        items=[ThreadResource.of(thread) for thread in found],
        next_cursor=None if following is None else number_cursor(following),
    )


@router.get("/{conversation_id}/threads/{thread_seq}")
async def get_thread(
    conversation_id: ConversationPath,
    thread_seq: ThreadPath,
    caller: Caller,
    talk: TalkUse,
) -> ThreadResource:
    """Return one thread, also one that nobody answered in yet."""
    return ThreadResource.of(
        await talk.threads.get(caller, conversation_id, thread_seq)
    )


@router.get("/{conversation_id}/threads/{thread_seq}/messages")
async def list_thread_messages(
    conversation_id: ConversationPath,
    thread_seq: ThreadPath,
    caller: Caller,
    talk: TalkUse,
    *,
    before: SeqBound = None,
    after: SeqBound = None,
    limit: Limit = DEFAULT_LIMIT,
) -> MessagePage:
    """Return a thread's answers next to a seq: below `before`, or above `after`."""
    if before is not None and after is not None:
        raise InvalidError("bounds_conflict", "Give before or after, not both.")
    history = await talk.threads.messages(
        caller, conversation_id, thread_seq, before=before, after=after, limit=limit
    )
    return MessagePage.of(history)


@router.put("/{conversation_id}/threads/{thread_seq}/follow")
async def follow_thread(
    conversation_id: ConversationPath,
    thread_seq: ThreadPath,
    caller: Caller,
    talk: TalkUse,
) -> ThreadResource:
    """Follow a thread; answering and being mentioned in it does so too."""
    thread = await talk.threads.follow(
        caller, conversation_id, thread_seq, is_following=True
    )
    return ThreadResource.of(thread)


@router.delete("/{conversation_id}/threads/{thread_seq}/follow")
async def unfollow_thread(
    conversation_id: ConversationPath,
    thread_seq: ThreadPath,
    caller: Caller,
    talk: TalkUse,
) -> ThreadResource:
    """Follow a thread no more, until the caller answers in it."""
    thread = await talk.threads.follow(
        caller, conversation_id, thread_seq, is_following=False
    )
    return ThreadResource.of(thread)


@router.put("/{conversation_id}/threads/{thread_seq}/read")
async def mark_thread_read(
    conversation_id: ConversationPath,
    thread_seq: ThreadPath,
    body: ReadThread,
    caller: Caller,
    talk: TalkUse,
) -> ThreadResource:
    """Say how far the caller has read a thread; a marker never goes back."""
    thread = await talk.threads.mark(caller, conversation_id, thread_seq, body.seq)
    return ThreadResource.of(thread)
