"""Routes by which a client catches up and says how far it is."""

from fastapi import APIRouter

from libs.chassis.pagination import (
    DEFAULT_LIMIT,
    Limit,
)
from services.chat.api.dependencies import (
    Caller,
    ConversationPath,
    MarkersUse,
    Revision,
    SyncUse,
)
from services.chat.schemas import (
    ChangesResource,
    ReadMarker,
    ReadUpTo,
)

router = APIRouter(prefix="/api/v1/conversations", tags=["conversations"])


@router.get("/{conversation_id}/changes")
async def list_changes(
    conversation_id: ConversationPath,
    caller: Caller,
    sync: SyncUse,
    *,
    since: Revision,
    limit: Limit = DEFAULT_LIMIT,
) -> ChangesResource:
    """Return the current state of all that changed after a revision."""
    changes = await sync.changes(caller, conversation_id, since=since, limit=limit)
    return ChangesResource.of(conversation_id, changes)


@router.put("/{conversation_id}/read")
async def mark_read(
    conversation_id: ConversationPath,
    body: ReadUpTo,
    caller: Caller,
    markers: MarkersUse,
) -> ReadMarker:
    """Say how far the caller has read; a marker never goes back."""
    conversation, read_seq = await markers.mark(caller, conversation_id, body.seq)
    return ReadMarker(
        conversation_id=conversation_id,
        read_seq=read_seq,
        unread=max(0, conversation.last_seq - read_seq),
    )
