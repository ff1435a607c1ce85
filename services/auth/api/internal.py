"""The route that lets caches of revoked sessions catch up (ADR 0014)."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query

from libs.chassis.pagination import CursorInvalidError, decode_cursor, encode_cursor
from libs.chassis.security import ServicePrincipal
from libs.kernel import SessionId, UserId
from services.auth.api.state import SessionControlUse
from services.auth.domain import Session
from services.auth.schemas import ChangedSessionsResponse, RevokedSession
from services.auth.service import RevocationList

router = APIRouter(prefix="/internal", tags=["internal"])

Since = Annotated[str | None, Query(max_length=256)]


@router.get("/sessions")
async def changed_sessions(
    _: ServicePrincipal,
    control: SessionControlUse,
    changed_since: Since = None,
) -> ChangedSessionsResponse:
    """Return sessions that ended since ``as_of`` of the answer before.

    Answers overlap, so that a commit that became visible late is not missed. An
    answer holds at most 1,000; ``as_of`` then is a cursor that goes on from there.
    """
    since, after = _parse(changed_since)
    found = await control.revoked_since(since, after)
    return ChangedSessionsResponse(
        revoked=[_revoked(session) for session in found.revoked],
        as_of=_as_of(found),
    )


def _revoked(session: Session) -> RevokedSession:
    return RevokedSession(
        session_id=SessionId(session.session_id),
        user_id=UserId(session.user_id),
        revoked_at=session.revoked_at or session.last_used_at,
    )


def _as_of(found: RevocationList) -> str:
    moment = found.as_of.isoformat()
    if found.after is None:
        return moment
    return encode_cursor({"since": moment, "after": found.after})


def _parse(text: str | None) -> tuple[datetime | None, str | None]:
    if text is None:
        return None, None
    try:
        return _moment(text), None
    except ValueError:
        pass
    cursor = decode_cursor(text)
    since, after = cursor.get("since"), cursor.get("after")
    if isinstance(since, str) and isinstance(after, str):
        try:
            return _moment(since), after
        except ValueError:
            pass
    raise CursorInvalidError


def _moment(text: str) -> datetime:
    # A "+" in a query that was not escaped arrives as a space.
    moment = datetime.fromisoformat(text.replace(" ", "+"))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
