"""Routes of administrators on others' accounts; who may do what: docs/roles.md."""

from typing import Annotated

from fastapi import APIRouter, Query

from libs.chassis.pagination import Limit, Page, cursor_id, encode_cursor
from libs.chassis.paths import id_or
from libs.kernel import SessionId, UserId
from services.auth.api.actor import CurrentActor
from services.auth.api.restriction import ADMINISTRATION
from services.auth.api.sessions import Cursor, cursor_of
from services.auth.api.state import (
    AdministrationUse,
    FactorResetUse,
    LookupUse,
    PasswordVoidUse,
)
from services.auth.domain import (
    UserFilter,
    UserStatus,
    search_key,
)
from services.auth.domain.errors import UserMissingError
from services.auth.schemas import (
    AccountResponse,
    AuditRecordResponse,
    EmailLookupRequest,
    EndedSessionsResponse,
    EndSessionsRequest,
    ListedUserResponse,
    OthersSessionResponse,
    ReasonRequest,
    RolesRequest,
)
from services.auth.service import DEACTIVATE, REACTIVATE, REINSTATE, SUSPEND

router = APIRouter(
    prefix="/api/v1/admin/users",
    tags=["administration"],
    dependencies=[ADMINISTRATION],
)

UserPath = Annotated[UserId, id_or(UserMissingError)]
Text = Annotated[str | None, Query(min_length=1, max_length=64)]
Status = Annotated[UserStatus | None, Query()]


@router.get("")
async def list_accounts(
    *,
    actor: CurrentActor,
    lookup: LookupUse,
    query: Text = None,
    handle: Text = None,
    status: Status = None,
    role: Text = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ListedUserResponse]:
    """List accounts of any status that meet every given criterion."""
    wanted = UserFilter(
        name_key=search_key(query) if query else None,
        handle=handle,
        status=status.value if status else None,
        role=role,
    )
    after = cursor_id(cursor, "after")
    page = await lookup.find(actor, wanted, after=after, limit=limit)
    items = [ListedUserResponse.of(user) for user in page.items]
    following = items[-1].user_id if page.has_more else None
    return Page(items=items, next_cursor=cursor_of(following))


@router.post("/lookup")
async def find_by_email(
    body: EmailLookupRequest, actor: CurrentActor, lookup: LookupUse
) -> AccountResponse:
    """Return the account of exactly this mail address; the search is recorded."""
    return AccountResponse.of(await lookup.find_by_email(actor, body.email))


@router.get("/{user_id}")
async def get_account(
    user_id: UserPath, actor: CurrentActor, lookup: LookupUse
) -> AccountResponse:
    """Return an account with its mail address; the look is recorded."""
    return AccountResponse.of(await lookup.get(actor, user_id))


@router.post("/{user_id}/suspend")
async def suspend(
    user_id: UserPath,
    body: ReasonRequest,
    actor: CurrentActor,
    administration: AdministrationUse,
) -> AccountResponse:
    """Keep a user out; every session ends at once."""
    user = await administration.move(SUSPEND, actor, user_id, body.reason)
    return AccountResponse.of(user)


@router.post("/{user_id}/reinstate")
async def reinstate(
    user_id: UserPath,
    body: ReasonRequest,
    actor: CurrentActor,
    administration: AdministrationUse,
) -> AccountResponse:
    """Let a suspended user in again."""
    user = await administration.move(REINSTATE, actor, user_id, body.reason)
    return AccountResponse.of(user)


@router.post("/{user_id}/deactivate")
async def deactivate(
    user_id: UserPath,
    body: ReasonRequest,
    actor: CurrentActor,
    administration: AdministrationUse,
) -> AccountResponse:
    """Close an account whose owner has left; every session ends at once."""
    user = await administration.move(DEACTIVATE, actor, user_id, body.reason)
    return AccountResponse.of(user)


@router.post("/{user_id}/reactivate")
async def reactivate(
    user_id: UserPath,
    body: ReasonRequest,
    actor: CurrentActor,
    administration: AdministrationUse,
) -> AccountResponse:
    """Open a deactivated account again."""
    user = await administration.move(REACTIVATE, actor, user_id, body.reason)
    return AccountResponse.of(user)


@router.put("/{user_id}/roles")
async def change_roles(
    user_id: UserPath,
    body: RolesRequest,
    actor: CurrentActor,
    administration: AdministrationUse,
) -> AccountResponse:
    """Give an account exactly these roles; losing rights ends its sessions."""
    user = await administration.change_roles(actor, user_id, body.roles, body.reason)
    return AccountResponse.of(user)


@router.post("/{user_id}/password-reset")
async def void_password(
    user_id: UserPath, body: ReasonRequest, actor: CurrentActor, void: PasswordVoidUse
) -> AccountResponse:
    """Void the password; a link by mail leads to a new one, every session ends."""
    return AccountResponse.of(await void.order(actor, user_id, body.reason))


@router.post("/{user_id}/mfa/reset")
async def reset_second_factors(
    user_id: UserPath, body: ReasonRequest, actor: CurrentActor, reset: FactorResetUse
) -> AccountResponse:
    """Take the second factors of somebody who has lost them; every session ends."""
    return AccountResponse.of(await reset.order(actor, user_id, body.reason))


@router.get("/{user_id}/sessions")
async def list_sessions_of_user(
    user_id: UserPath,
    actor: CurrentActor,
    lookup: LookupUse,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[OthersSessionResponse]:
    """List an account's live sessions, oldest first; the look is recorded."""
    after = cursor_id(cursor, "after")
    page = await lookup.sessions(actor, user_id, after=after, limit=limit)
    items = [OthersSessionResponse.of(session) for session in page.items]
    following = items[-1].session_id if page.has_more else None
    return Page(items=items, next_cursor=cursor_of(following))


@router.post("/{user_id}/sessions/end")
async def end_sessions(
    user_id: UserPath,
    body: EndSessionsRequest,
    actor: CurrentActor,
    administration: AdministrationUse,
) -> EndedSessionsResponse:
    """End one session of an account, or all."""
    session_id = SessionId(body.session_id) if body.session_id else None
    count = await administration.end_sessions(actor, user_id, session_id, body.reason)
    return EndedSessionsResponse(ended_count=count)


@router.get("/{user_id}/audit")
async def read_audit(
    user_id: UserPath,
    actor: CurrentActor,
    lookup: LookupUse,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[AuditRecordResponse]:
    """Return what a user did and what was done to them, the newest first."""
    before = cursor_id(cursor, "before")
    page = await lookup.audit(actor, user_id, before=before, limit=limit)
    items = [AuditRecordResponse.of(record) for record in page.items]
    following = encode_cursor({"before": items[-1].record_id}) if items else None
    return Page(items=items, next_cursor=following if page.has_more else None)
