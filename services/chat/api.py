"""HTTP in: ``/api/v1/conversations``."""

from datetime import datetime
from typing import Annotated, TypedDict

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from libs.chassis.pagination import (
    DEFAULT_LIMIT,
    CursorInvalidError,
    Limit,
    Page,
    cursor_id,
    decode_cursor,
    encode_cursor,
)
from libs.chassis.security import CurrentPrincipal
from libs.kernel import (
    ConversationId,
    DocumentId,
    InvalidError,
    MessageId,
    ProjectId,
    UserId,
    is_id,
)
from services.chat.domain.conversation import Role
from services.chat.domain.errors import (
    ConversationNotFoundError,
    MemberNotFoundError,
    MessageNotFoundError,
)
from services.chat.domain.message import Draft
from services.chat.ports import JoinedAt
from services.chat.schemas import (
    AddMember,
    ChangeConversation,
    ChangesResource,
    ConversationResource,
    EditMessage,
    MemberResource,
    MessagePage,
    OpenConversation,
    ReadMarker,
    ReadUpTo,
    SendMessage,
    SentMessage,
)
from services.chat.service.conversations import Conversations, Opening
from services.chat.service.markers import ReadMarkers
from services.chat.service.members import Members
from services.chat.service.messages import Edit, Messages
from services.chat.service.sync import Sync
from services.chat.service.wire import member_wire, message_event

router = APIRouter(prefix="/api/v1/conversations", tags=["conversations"])


class ChatState(TypedDict):
    """What the lifespan yields; it becomes ``request.state``."""

    conversations: Conversations
    members: Members
    messages: Messages
    sync: Sync
    markers: ReadMarkers


def _conversations(request: Request) -> Conversations:
    found: Conversations = request.state.conversations
    return found


def _members(request: Request) -> Members:
    found: Members = request.state.members
    return found


def _messages(request: Request) -> Messages:
    found: Messages = request.state.messages
    return found


def _sync(request: Request) -> Sync:
    found: Sync = request.state.sync
    return found


def _markers(request: Request) -> ReadMarkers:
    found: ReadMarkers = request.state.markers
    return found


_IdPath = Annotated[str, Path(min_length=1, max_length=64)]


def _conversation_id(conversation_id: _IdPath) -> ConversationId:
    if not is_id(conversation_id):
        raise ConversationNotFoundError  # what cannot be an id does not exist
    return ConversationId(conversation_id)


def _message_id(message_id: _IdPath) -> MessageId:
    if not is_id(message_id):
        raise MessageNotFoundError
    return MessageId(message_id)


def _member_id(user_id: _IdPath) -> UserId:
    if not is_id(user_id):
        raise MemberNotFoundError
    return UserId(user_id)


def _caller(principal: CurrentPrincipal) -> UserId:
    return UserId(principal.user_id)


ConversationsUse = Annotated[Conversations, Depends(_conversations)]
MembersUse = Annotated[Members, Depends(_members)]
MessagesUse = Annotated[Messages, Depends(_messages)]
SyncUse = Annotated[Sync, Depends(_sync)]
MarkersUse = Annotated[ReadMarkers, Depends(_markers)]
Caller = Annotated[UserId, Depends(_caller)]
ConversationPath = Annotated[ConversationId, Depends(_conversation_id)]
MessagePath = Annotated[MessageId, Depends(_message_id)]
MemberPath = Annotated[UserId, Depends(_member_id)]
Cursor = Annotated[str | None, Query(max_length=256)]
SeqBound = Annotated[int | None, Query(ge=0, le=2**53)]
Revision = Annotated[int, Query(ge=0, le=2**53)]


@router.post("", status_code=201)
async def open_conversation(
    body: OpenConversation,
    caller: Caller,
    conversations: ConversationsUse,
    response: Response,
) -> ConversationResource:
    """Open a conversation; 200 with the one that a pair has already."""
    opening = Opening(
        kind=body.kind,
        title=body.title,
        member_ids=tuple(UserId(member_id) for member_id in body.member_ids),
        project_id=None if body.project_id is None else ProjectId(body.project_id),
    )
    membership, is_new = await conversations.open(caller, opening)
    if not is_new:
        response.status_code = 200
    return ConversationResource.of(membership)


@router.get("")
async def list_conversations(
    caller: Caller,
    conversations: ConversationsUse,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[ConversationResource]:
    """List the caller's conversations, the last joined first."""
    before = _place(cursor)
    found, following = await conversations.page(caller, before=before, limit=limit)
    return Page[ConversationResource](
        items=[ConversationResource.of(membership) for membership in found],
        next_cursor=None if following is None else _place_cursor(following),
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
) -> ConversationResource:
    """Give it another title, archive it or bring it back."""
    if body.title is not None:
        await conversations.rename(caller, conversation_id, body.title)
    if body.is_archived is not None:
        await conversations.archive(
            caller, conversation_id, is_archived=body.is_archived
        )
    return ConversationResource.of(await conversations.get(caller, conversation_id))


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


def _place(cursor: str | None) -> JoinedAt | None:
    conversation_id = cursor_id(cursor, "before")
    if conversation_id is None:
        return None
    try:
        joined_at = datetime.fromisoformat(str(decode_cursor(cursor).get("joined_at")))
    except ValueError:
        raise CursorInvalidError from None
    if joined_at.tzinfo is None:
        raise CursorInvalidError
    return JoinedAt(joined_at, ConversationId(conversation_id))


def _place_cursor(place: JoinedAt) -> str:
    joined_at = place.joined_at.isoformat()
    return encode_cursor({"before": place.conversation_id, "joined_at": joined_at})
