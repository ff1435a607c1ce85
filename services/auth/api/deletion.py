"""Routes of deleting accounts: one's own, others', and who has erased their part."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query

from libs.chassis.pagination import Limit, Page, cursor_id
from services.auth.api.actor import CurrentActor
from services.auth.api.administration import UserPath
from services.auth.api.restriction import ADMINISTRATION, SESSIONS_ONLY
from services.auth.api.sessions import Cursor, cursor_of
from services.auth.api.state import DeletionUse, ErasureReportUse
from services.auth.schemas import (
    AccountResponse,
    DeletionRequest,
    DeletionResponse,
    DeletionTermsResponse,
    ErasureResponse,
    ReasonRequest,
)

router = APIRouter(prefix="/api/v1/me", tags=["accounts"], dependencies=[SESSIONS_ONLY])
admin_router = APIRouter(
    prefix="/api/v1/admin", tags=["administration"], dependencies=[ADMINISTRATION]
)


@router.get("/deletion")
async def get_deletion_terms(
    _: CurrentActor, deletion: DeletionUse
) -> DeletionTermsResponse:
    """Tell how long a deletion of one's own account could be called off."""
    return DeletionTermsResponse(grace_days=deletion.grace / timedelta(days=1))


@router.post("/deletion", status_code=202)
async def request_deletion(
    body: DeletionRequest, actor: CurrentActor, deletion: DeletionUse
) -> DeletionResponse:
    """Have one's own account erased after the grace; everything ends at once."""
    return DeletionResponse(
        deletion_due_at=await deletion.request_own(actor, body.email)
    )


@admin_router.post("/users/{user_id}/delete")
async def order_deletion(
    user_id: UserPath, body: ReasonRequest, actor: CurrentActor, deletion: DeletionUse
) -> AccountResponse:
    """Close an account and have it erased after the grace."""
    return AccountResponse.of(await deletion.order(actor, user_id, body.reason))


@admin_router.post("/users/{user_id}/cancel-deletion")
async def cancel_deletion(
    user_id: UserPath, body: ReasonRequest, actor: CurrentActor, deletion: DeletionUse
) -> AccountResponse:
    """Call the deletion of an account off; its status stays as it is."""
    return AccountResponse.of(await deletion.cancel(actor, user_id, body.reason))


@admin_router.get("/erasures")
async def list_erasures(
    actor: CurrentActor,
    report: ErasureReportUse,
    *,
    is_complete: Annotated[bool | None, Query()] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ErasureResponse]:
    """List deleted accounts, with who has erased their part and who has not."""
    page = await report.page(
        actor,
        is_complete=is_complete,
        after=cursor_id(cursor, "after"),
        limit=limit,
    )
    items = [ErasureResponse.of(erasure) for erasure in page.items]
    following = items[-1].user_id if page.has_more else None
    return Page(items=items, next_cursor=cursor_of(following))
