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
    RolesUse,
)
from services.chat.schemas import (
    AddMember,
    ChangeRole,
    ListedMemberResource,
    MemberResource,
    TransferOwnership,
)
from services.chat.service.wire import member_wire

router = APIRouter(prefix="/api/v1/conversations", tags=["members"])


@router.get("/{conversation_id}/members")
async def list_members(
    conversation_id: ConversationPath,
    caller: Caller,
    members: MembersUse,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[ListedMemberResource]:
    """List the members, by user id."""
    after = cursor_id(cursor, "after") or ""
    found, following = await members.page(
        caller, conversation_id, after=after, limit=limit
    )
    bots = await members.bots_among(found)
    return Page[ListedMemberResource](
        items=[
            ListedMemberResource.model_validate(
                {**member_wire(member), "is_bot": member.user_id in bots}
            )
            for member in found
        ],
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
    if body.user_id is not None:
        added_id = UserId(body.user_id)
        member = await members.add(caller, conversation_id, added_id, body.role)
    else:
        handle = body.handle or ""
        member = await members.add_by_handle(caller, conversation_id, handle, body.role)
    return MemberResource.model_validate(member_wire(member))


@router.patch("/{conversation_id}/members/{user_id}")
async def change_role(
    conversation_id: ConversationPath,
    user_id: MemberPath,
    body: ChangeRole,
    caller: Caller,
    roles: RolesUse,
) -> MemberResource:
    """Give a member another role."""
    member = await roles.change(caller, conversation_id, user_id, body.role)
    return MemberResource.model_validate(member_wire(member))


@router.post("/{conversation_id}/owner")
async def transfer_ownership(
    conversation_id: ConversationPath,
    body: TransferOwnership,
    caller: Caller,
    roles: RolesUse,
) -> MemberResource:
    """Make another member owner in the caller's place, who becomes an admin."""
    heir = await roles.transfer(caller, conversation_id, UserId(body.user_id))
    return MemberResource.model_validate(member_wire(heir))


@router.delete("/{conversation_id}/members/{user_id}", status_code=204)
async def remove_member(
    conversation_id: ConversationPath,
    user_id: MemberPath,
    caller: Caller,
    members: MembersUse,
) -> None:
    """Take somebody out, or leave."""
    await members.remove(caller, conversation_id, user_id)
