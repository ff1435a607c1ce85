"""Routes of what is the caller's own: drafts, bookmarks, mutes, and their stream."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query

from libs.chassis.exports import ExportResponse, Record, export_response
from libs.chassis.pagination import (
    DEFAULT_LIMIT,
    CursorInvalidError,
    Limit,
    Page,
    cursor_id,
    decode_cursor,
    encode_cursor,
)
from libs.chassis.security import FreshPrincipal
from libs.kernel import ConversationId, UserId
from services.chat.api.dependencies import (
    Caller,
    ConversationPath,
    Cursor,
    MessagePath,
    OwnUse,
    Revision,
)
from services.chat.domain.message import Message
from services.chat.schemas import (
    BookmarkResource,
    CatchUpFrom,
    CaughtUpResource,
    DraftResource,
    MuteResource,
    OwnChangesResource,
    ReceiptResource,
    SaveBookmark,
    SaveDraft,
    SetMute,
)
from services.chat.service.catchup import Known

router = APIRouter(prefix="/api/v1", tags=["own"])
ThreadSeq = Annotated[int, Query(ge=0, le=2**53)]


@router.get("/sync/own")
async def list_own_changes(
    caller: Caller, own: OwnUse, *, since: Revision, limit: Limit = DEFAULT_LIMIT
) -> OwnChangesResource:
    """Return the current state of all of one's own that changed after a revision."""
    changes = await own.stream.changes(caller, since=since, limit=limit)
    return OwnChangesResource.of(changes)


@router.post("/sync")
async def catch_up(body: CatchUpFrom, caller: Caller, own: OwnUse) -> CaughtUpResource:
    """Return what moved since the revisions that the client has, in pages."""
    known = Known(
        revisions={ConversationId(c): r for c, r in body.conversations.items()},
        user_revision=body.user_revision,
    )
    return CaughtUpResource.of(await own.catchup.catch_up(caller, known))


@router.put("/conversations/{conversation_id}/draft")
async def save_draft(
    conversation_id: ConversationPath, body: SaveDraft, caller: Caller, own: OwnUse
) -> DraftResource:
    """Keep what the caller is writing; an empty text clears it."""
    saved = await own.drafts.save(
        caller, conversation_id, body.text, thread_seq=body.thread_seq
    )
    return DraftResource.of(saved)


@router.delete("/conversations/{conversation_id}/draft", status_code=204)
async def clear_draft(
    conversation_id: ConversationPath,
    caller: Caller,
    own: OwnUse,
    *,
    thread_seq: ThreadSeq = 0,
) -> None:
    """Throw a draft away; one that is not there is no error."""
    await own.drafts.clear(caller, conversation_id, thread_seq=thread_seq)


@router.get("/drafts")
async def list_drafts(
    caller: Caller, own: OwnUse, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> Page[DraftResource]:
    """List the caller's drafts, the last changed first."""
    found, following = await own.drafts.page(caller, before=_below(cursor), limit=limit)
    return Page[DraftResource](
        items=[DraftResource.of(draft) for draft in found],
        next_cursor=_cursor(following),
    )


@router.put("/conversations/{conversation_id}/messages/{message_id}/bookmark")
async def put_bookmark(
    conversation_id: ConversationPath,
    message_id: MessagePath,
    body: SaveBookmark,
    caller: Caller,
    own: OwnUse,
) -> BookmarkResource:
    """Bookmark a message, or give its bookmark another note."""
    marked = await own.bookmarks.add(
        caller, conversation_id, message_id, note=body.note
    )
    return BookmarkResource.of(marked)


@router.get("/conversations/{conversation_id}/messages/{message_id}/receipts")
async def list_receipts(
    conversation_id: ConversationPath,
    message_id: MessagePath,
    caller: Caller,
    own: OwnUse,
    *,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[ReceiptResource]:
    """List who has read a message, by user id; 409 where receipts are off."""
    found, following = await own.receipts.page(
        caller,
        conversation_id,
        message_id,
        after=cursor_id(cursor, "after") or "",
        limit=limit,
    )
    return Page[ReceiptResource](
        items=[ReceiptResource(user_id=m.user_id, read_seq=m.read_seq) for m in found],
        next_cursor=None if following is None else encode_cursor({"after": following}),
    )


@router.delete("/bookmarks/{message_id}", status_code=204)
async def remove_bookmark(message_id: MessagePath, caller: Caller, own: OwnUse) -> None:
    """Take a bookmark away, also of a message that is not to be seen any more."""
    await own.bookmarks.remove(caller, message_id)


@router.get("/bookmarks")
async def list_bookmarks(
    caller: Caller, own: OwnUse, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> Page[BookmarkResource]:
    """List the caller's bookmarks with their messages, the last changed first."""
    found, following = await own.bookmarks.page(
        caller, before=_below(cursor), limit=limit
    )
    return Page[BookmarkResource](
        items=[BookmarkResource.of(marked) for marked in found],
        next_cursor=_cursor(following),
    )


@router.put("/conversations/{conversation_id}/mute")
async def mute_conversation(
    conversation_id: ConversationPath, body: SetMute, caller: Caller, own: OwnUse
) -> MuteResource:
    """Say what of a conversation still notifies, and until when."""
    mute = await own.mutes.mute(caller, conversation_id, body.level, body.until)
    return MuteResource.of(mute)


def _below(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    revision = decode_cursor(cursor).get("below")
    if not isinstance(revision, int) or not 0 < revision <= 2**53:
        raise CursorInvalidError
    return revision


def _cursor(following: int | None) -> str | None:
    return None if following is None else encode_cursor({"below": following})


@router.get("/me/export/chat", response_class=ExportResponse)
async def export_messages(principal: FreshPrincipal, own: OwnUse) -> ExportResponse:
    """Give all that the caller ever said, as JSON lines."""
    user_id = UserId(principal.user_id)
    records = _messages(own.messages.all(user_id))
    return export_response("chat", user_id, records)


async def _messages(said: AsyncIterator[Message]) -> AsyncIterator[Record]:
    async for message in said:
        yield (
            "message",
            {
                "conversation_id": message.conversation_id,
                "message_id": message.message_id,
                "seq": message.seq,
                "sent_at": message.sent_at,
                "edited_at": message.edited_at,
                "text": message.text,
                "attachments": message.attachments,
            },
        )
