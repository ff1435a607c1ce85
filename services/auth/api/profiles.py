"""Routes of the own profile and of the directory."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.exceptions import RequestValidationError

from libs.chassis.pagination import Limit, Page, cursor_id
from libs.chassis.paths import id_or
from libs.chassis.security import CurrentPrincipal, Principal
from libs.kernel import DocumentId, InvalidError, UserId, is_id
from services.auth.api.sessions import Cursor, cursor_of
from services.auth.api.state import AvatarsUse, ProfilesUse
from services.auth.domain import (
    Permission,
    standing_of,
)
from services.auth.domain.errors import UserMissingError
from services.auth.schemas import (
    AvatarRequest,
    HandleRequest,
    MeResponse,
    ProfileRequest,
    ProfileResponse,
)
from services.auth.service import ProfileChange

router = APIRouter(prefix="/api/v1", tags=["profiles"])

IDS_MAX = 100

UserPath = Annotated[UserId, id_or(UserMissingError)]
HandleQuery = Annotated[str | None, Query(min_length=1, max_length=64)]
SearchQuery = Annotated[str | None, Query(min_length=1, max_length=64)]
IdsQuery = Annotated[str | None, Query(min_length=36, max_length=37 * IDS_MAX)]


@router.get("/me")
async def get_me(principal: CurrentPrincipal, profiles: ProfilesUse) -> MeResponse:
    """Return the caller's account."""
    return MeResponse.of(await profiles.get_own(UserId(principal.user_id)))


@router.patch("/me")
async def update_me(
    body: ProfileRequest, principal: CurrentPrincipal, profiles: ProfilesUse
) -> MeResponse:
    """Change fields of the caller's profile."""
    change = ProfileChange(**body.model_dump(exclude_unset=True))
    return MeResponse.of(await profiles.update(UserId(principal.user_id), change))


@router.put("/me/handle")
async def set_handle(
    body: HandleRequest, principal: CurrentPrincipal, profiles: ProfilesUse
) -> MeResponse:
    """Take a handle; the caller's old one is free at once."""
    user = await profiles.set_handle(UserId(principal.user_id), body.handle)
    return MeResponse.of(user)


@router.put("/me/avatar")
async def set_avatar(
    body: AvatarRequest, principal: CurrentPrincipal, avatars: AvatarsUse
) -> MeResponse:
    """Show a picture of one's own, which media has checked, to everybody."""
    user = await avatars.choose(UserId(principal.user_id), DocumentId(body.document_id))
    return MeResponse.of(user)


@router.delete("/me/avatar", status_code=204)
async def remove_avatar(principal: CurrentPrincipal, avatars: AvatarsUse) -> None:
    """Show no picture any more; idempotent."""
    await avatars.remove(UserId(principal.user_id))


@router.get("/users")
async def find_users(
    *,
    principal: CurrentPrincipal,
    profiles: ProfilesUse,
    handle: HandleQuery = None,
    query: SearchQuery = None,
    ids: IdsQuery = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ProfileResponse]:
    """Find users by exact handle, by ids, or by the beginning of a name.

    One of the three has to be given. Only active people are found by handle or name,
    and not by guests; ids find everybody whose name is still shown.
    """
    _check_one_given(handle, query, ids)
    if ids is None:
        _check_may_search(principal)
    if handle is not None:
        page = await profiles.find_by_handle(handle)
    elif ids is not None:
        page = await profiles.get_many(_ids(ids))
    else:
        after = cursor_id(cursor, "after")
        page = await profiles.search(query or "", after=after, limit=limit)
    items = [ProfileResponse.of(user) for user in page.items]
    following = items[-1].user_id if page.has_more else None
    return Page(items=items, next_cursor=cursor_of(following))


@router.get("/users/{user_id}")
async def get_user(
    user_id: UserPath, _: CurrentPrincipal, profiles: ProfilesUse
) -> ProfileResponse:
    """Return a user's public profile."""
    return ProfileResponse.of(await profiles.get(user_id))


def _check_one_given(*given: str | None) -> None:
    count = sum(one is not None for one in given)
    if count > 1:
        raise InvalidError("query_ambiguous", "Give one of handle, query and ids.")
    if count == 0:
        message = "Give one of handle, query and ids."
        raise RequestValidationError(
            [{"type": "missing", "loc": ("query", "query"), "msg": message}]
        )


def _check_may_search(principal: Principal) -> None:
    """AZ-9: a guest looks up whom they meet in conversations, and finds nobody else."""
    standing = standing_of(UserId(principal.user_id), principal.roles, ())
    standing.require(Permission.SEARCH_PEOPLE)


def _ids(text: str) -> list[str]:
    ids = list(dict.fromkeys(text.split(",")))
    if len(ids) > IDS_MAX or not all(is_id(user_id) for user_id in ids):
        raise InvalidError("ids_invalid", f"Give up to {IDS_MAX} ids, comma-separated.")
    return ids
