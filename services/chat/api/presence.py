"""Routes of presence: what the caller shows, and what others do."""

from typing import Annotated

from fastapi import APIRouter, Query

from libs.kernel import InvalidError, UserId, is_id
from services.chat.api.dependencies import Caller, PresenceUse
from services.chat.schemas import (
    CustomStatusResource,
    OwnPresenceResource,
    PresencesResource,
    SetCustomStatus,
    ShowLastSeen,
)

USERS_MAX = 100
router = APIRouter(prefix="/api/v1/presence", tags=["presence"])
Ids = Annotated[str, Query(min_length=36, max_length=37 * USERS_MAX)]


@router.get("")
async def get_own_presence(
    caller: Caller, presence: PresenceUse
) -> OwnPresenceResource:
    """Return what the caller has chosen to show."""
    status, last_seen = await presence.views.own(caller)
    shown = None if status is None else CustomStatusResource.of(status)
    return OwnPresenceResource(custom_status=shown, last_seen=last_seen)


@router.put("/custom-status")
async def set_custom_status(
    body: SetCustomStatus, caller: Caller, presence: PresenceUse
) -> CustomStatusResource:
    """Say something of oneself, perhaps for a time; it is announced."""
    status = await presence.statuses.set(
        caller, emoji=body.emoji, text=body.text, expires_at=body.expires_at
    )
    return CustomStatusResource.of(status)


@router.delete("/custom-status", status_code=204)
async def clear_custom_status(caller: Caller, presence: PresenceUse) -> None:
    """Take it back; where nothing is said, nothing happens."""
    await presence.statuses.clear(caller)


@router.put("/last-seen")
async def show_last_seen(
    body: ShowLastSeen, caller: Caller, presence: PresenceUse
) -> ShowLastSeen:
    """Say who may learn when the caller was last seen; it holds both ways."""
    await presence.heartbeats.show_last_seen(caller, body.last_seen)
    return body


@router.get("/users")
async def list_presences(
    ids: Ids, caller: Caller, presence: PresenceUse
) -> PresencesResource:
    """Return who of up to 100 users is there, where the caller may see it."""
    wanted = list(dict.fromkeys(ids.split(",")))
    if len(wanted) > USERS_MAX or not all(map(is_id, wanted)):
        raise InvalidError("ids_invalid", f"Give up to {USERS_MAX} ids of users.")
    views = await presence.views.of_users(caller, [UserId(one) for one in wanted])
    return PresencesResource.of(views)
