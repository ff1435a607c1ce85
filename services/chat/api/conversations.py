"""Routes of conversations: open, list, read, change."""

from typing import Literal

from fastapi import APIRouter, Response

from libs.chassis.pagination import (
    DEFAULT_LIMIT,
    Limit,
    Page,
)
from libs.kernel import (
    ConversationId,
    ProjectId,
    UserId,
    new_id,
)
from services.chat.api.cursors import time_cursor, time_place
from services.chat.api.dependencies import (
    AvatarsUse,
    Caller,
    ConversationPath,
    ConversationsUse,
    Cursor,
    DeletionUse,
    OpeningsUse,
)
from services.chat.domain.amendment import Amendment
from services.chat.ports import ActiveAt, JoinedAt
from services.chat.schemas import (
    ChangeConversation,
    ConversationResource,
    OpenConversation,
)
from services.chat.service.conversations import Membership
from services.chat.service.openings import Opening

_REMOVABLE = frozenset({"topic", "avatar_document_id", "retention_days"})

router = APIRouter(prefix="/api/v1/conversations", tags=["conversations"])


@router.post("", status_code=201)
async def open_conversation(
    body: OpenConversation,
    caller: Caller,
    openings: OpeningsUse,
    avatars: AvatarsUse,
    response: Response,
) -> ConversationResource:
    """Open a conversation; 200 with the one that a pair has already."""
    opening = Opening(
        kind=body.kind,
        title=body.title,
        member_ids=tuple(UserId(member_id) for member_id in body.member_ids),
        project_id=None if body.project_id is None else ProjectId(body.project_id),
        amendment=_amendment(body, {"title"}),
    )
    to_come = ConversationId(new_id())
    await avatars.require_usable(caller, to_come, opening.amendment)
    membership, is_new = await openings.open(caller, opening)
    if not is_new:
        response.status_code = 200
    return ConversationResource.of(membership)


@router.get("")
async def list_conversations(
    caller: Caller,
    conversations: ConversationsUse,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
    order: Literal["joined", "activity"] = "joined",
) -> Page[ConversationResource]:
    """List the caller's conversations, the last joined or the last active first.

    A cursor goes on in the order that it was made in.
    """
    place = time_place(cursor)
    found: list[Membership]
    following: JoinedAt | ActiveAt | None
    if order == "joined":
        before = None if place is None else JoinedAt(place[0], ConversationId(place[1]))
        found, following = await conversations.page(caller, before=before, limit=limit)
    else:
        below = None if place is None else ActiveAt(place[0], ConversationId(place[1]))
        found, following = await conversations.page_by_activity(
            caller, before=below, limit=limit
        )
    return Page[ConversationResource](
        items=[ConversationResource.of(membership) for membership in found],
        next_cursor=None if following is None else time_cursor(*following),
    )


@router.get("/{conversation_id}")
async def get_conversation(
    conversation_id: ConversationPath, caller: Caller, conversations: ConversationsUse
) -> ConversationResource:
    """Return one conversation with its unread count."""
    return ConversationResource.of(await conversations.get(caller, conversation_id))


@router.patch("/{conversation_id}")
async def change_conversation(
    conversation_id: ConversationPath,
    body: ChangeConversation,
    caller: Caller,
    conversations: ConversationsUse,
    avatars: AvatarsUse,
) -> ConversationResource:
    """Change title, topic, avatar or rules; archive it or bring it back."""
    amendment = _amendment(body, set())
    await avatars.require_usable(caller, conversation_id, amendment)
    changed = await conversations.change(caller, conversation_id, amendment)
    return ConversationResource.of(changed)


@router.delete("/{conversation_id}", status_code=204)
async def delete_conversation(
    conversation_id: ConversationPath, caller: Caller, deletion: DeletionUse
) -> None:
    """Delete it for everybody and for good."""
    await deletion.delete(caller, conversation_id)


def _amendment(
    body: OpenConversation | ChangeConversation, without: set[str]
) -> Amendment:
    """Return what a body asks to change: what it does not say stays."""
    asked = body.model_dump(include=set(Amendment.__struct_fields__) - without)
    given = {
        name: value
        for name, value in asked.items()
        if name in body.model_fields_set and (value is not None or name in _REMOVABLE)
    }
    return Amendment(**given)
