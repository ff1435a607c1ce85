"""Routes of a conversation's members."""

from fastapi import APIRouter

from libs.chassis.pagination import (
    DEFAULT_LIMIT,
    Limit,
    Page,
    cursor_id,
    encode_cursor,
)
from libs.kernel import (
    UserId,
)
from services.chat.api.dependencies import (
    Caller,
    ConversationPath,
    Cursor,
    MemberPath,
    MembersUse,
)
from services.chat.domain.conversation import Role
from services.chat.schemas import (
    AddMember,
    MemberResource,
)
from services.chat.service.wire import member_wire

router = APIRouter(prefix="/api/v1/conversations", tags=["conversations"])


@router.get("/{conversation_id}/members")
async def list_members(
    conversation_id: ConversationPath,
    caller: Caller,
    members: MembersUse,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[MemberResource]:
    """List the members, by user id."""
    after = cursor_id(cursor, "after") or ""
    found, following = await members.page(
        caller, conversation_id, after=after, limit=limit
    )
    return Page[MemberResource](
        items=[MemberResource.model_validate(member_wire(m)) for m in found],
        next_cursor=None if following is None else encode_cursor({"after": following}),
    )


@router.post("/{conversation_id}/members", status_code=201)
async def add_member(
    conversation_id: ConversationPath,
    body: AddMember,
    caller: Caller,
    members: MembersUse,
) -> MemberResource:
    """Bring somebody in; who is in already stays as is."""
    member = await members.add(
        caller, conversation_id, UserId(body.user_id), Role(body.role)
    )
    return MemberResource.model_validate(member_wire(member))


@router.delete("/{conversation_id}/members/{user_id}", status_code=204)
async def remove_member(
    conversation_id: ConversationPath,
    user_id: MemberPath,
    caller: Caller,
    members: MembersUse,
) -> None:
    """Take somebody out, or leave."""
    await members.remove(caller, conversation_id, user_id)
