"""Routes of the caller's own preferences."""

import re
from typing import Annotated

from fastapi import APIRouter, Header, Response

from libs.chassis.security import CurrentPrincipal
from libs.kernel import InvalidError, UserId
from services.auth.api.state import PreferencesUse
from services.auth.domain import Preferences
from services.auth.schemas import PreferencesRequest, PreferencesResponse

router = APIRouter(prefix="/api/v1/me", tags=["profiles"])

IfMatch = Annotated[
    str | None,
    Header(max_length=64, description='The ETag that is known, `"<revision>"`, or *.'),
]
_TAG = re.compile(r'"([0-9]{1,15})"')


@router.get("/preferences")
async def read_own_preferences(
    principal: CurrentPrincipal, preferences: PreferencesUse, response: Response
) -> PreferencesResponse:
    """Return how the caller wants Parley to look and behave."""
    found = await preferences.get(UserId(principal.user_id))
    return _shown(found, response)


@router.patch("/preferences")
async def change_own_preferences(
    body: PreferencesRequest,
    principal: CurrentPrincipal,
    preferences: PreferencesUse,
    response: Response,
    if_match: IfMatch = None,
) -> PreferencesResponse:
    """Change some of them; with ``If-Match`` only if nobody else did meanwhile."""
    changed = await preferences.change(
        UserId(principal.user_id), body.changes(), _revision(if_match)
    )
    return _shown(changed, response)


def _shown(preferences: Preferences, response: Response) -> PreferencesResponse:
    response.headers["ETag"] = f'"{preferences.revision}"'
    response.headers["Cache-Control"] = "private, no-cache"
    return PreferencesResponse.of(preferences)


def _revision(if_match: str | None) -> int | None:
    if if_match is None or if_match.strip() == "*":
        return None
    tag = _TAG.fullmatch(if_match.strip())
    if tag is None:
        raise InvalidError("if_match_invalid", 'If-Match is "<revision>" or *.')
    return int(tag[1])
