"""The route that gives a person all that auth holds on them; no secret among it."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from libs.chassis.audit import AuditRecord
from libs.chassis.exports import (
    ExportResponse,
    Record,
    export_response,
)
from libs.chassis.security import CurrentPrincipal
from libs.chassis.whole_lists import WHOLE_LIST_PAGE, paged
from libs.kernel import SessionId, UserId
from services.auth.api.client import ClientAddress
from services.auth.api.restriction import SESSIONS_ONLY
from services.auth.api.state import (
    InvitationsUse,
    OwnRecordsUse,
    PersonalTokensUse,
    PreferencesUse,
    ProfilesUse,
    ProviderLinksUse,
    SecondFactorSettingsUse,
    SessionControlUse,
)
from services.auth.domain import (
    Invite,
    PersonalToken,
    Session,
)
from services.auth.schemas import (
    AccountResponse,
    AuditRecordResponse,
    InviteResponse,
    PersonalTokenResponse,
    PreferencesResponse,
    SecondFactorsResponse,
    SessionResponse,
)
from services.auth.schemas.base import ResponseModel

router = APIRouter(
    prefix="/api/v1/me/export", tags=["exports"], dependencies=[SESSIONS_ONLY]
)


@dataclass(frozen=True)
class Account:
    """What somebody is and what they chose."""

    profiles: ProfilesUse
    preferences: PreferencesUse
    factors: SecondFactorSettingsUse
    identities: ProviderLinksUse


@dataclass(frozen=True)
class Belongings:
    """What somebody has several of."""

    control: SessionControlUse
    tokens: PersonalTokensUse
    invitations: InvitationsUse
    records: OwnRecordsUse


AccountUse = Annotated[Account, Depends()]
BelongingsUse = Annotated[Belongings, Depends()]


@router.get("/auth", response_class=ExportResponse)
async def export_account(
    principal: CurrentPrincipal,
    account: AccountUse,
    belongings: BelongingsUse,
    client_address: ClientAddress = "",
) -> ExportResponse:
    """Give all that auth holds on the caller, as JSON lines; needs a fresh proof."""
    user_id = UserId(principal.user_id)
    session_id = SessionId(principal.session_id)
    await belongings.records.begin(user_id, session_id, client_address)
    records = _records(user_id, session_id, account, belongings)
    return export_response("auth", user_id, records)


async def _records(
    user_id: UserId, session_id: SessionId, account: Account, belongings: Belongings
) -> AsyncIterator[Record]:
    async for record in _account(user_id, account):
        yield record
    async for record in _sessions(user_id, session_id, belongings):
        yield record
    async for record in _belongings(user_id, belongings):
        yield record


async def _account(user_id: UserId, account: Account) -> AsyncIterator[Record]:
    yield "account", _json(AccountResponse.of(await account.profiles.get_own(user_id)))
    chosen = await account.preferences.get(user_id)
    yield "preferences", _json(PreferencesResponse.of(chosen))
    factors = await account.factors.overview(user_id)
    yield "second_factors", _json(SecondFactorsResponse.of(factors))
    linked = await account.identities.list_own(user_id)
    for provider_id, linked_at in sorted(linked.items()):
        yield "identity", {"provider_id": provider_id, "linked_at": linked_at}


async def _sessions(
    user_id: UserId, session_id: SessionId, own: Belongings
) -> AsyncIterator[Record]:
    async def sessions(after: str | None) -> Sequence[Session]:
        page = await own.control.list_own(user_id, after=after, limit=WHOLE_LIST_PAGE)
        return page.items

    async for session in paged(sessions, lambda one: one.session_id):
        yield "session", _json(SessionResponse.of(session, session_id))


async def _belongings(user_id: UserId, own: Belongings) -> AsyncIterator[Record]:
    async def tokens(after: str | None) -> Sequence[PersonalToken]:
        page = await own.tokens.list_own(user_id, after=after, limit=WHOLE_LIST_PAGE)
        return page.items

    async def invites(after: str | None) -> Sequence[Invite]:
        page = await own.invitations.list_waiting(
            user_id, (), after=after, limit=WHOLE_LIST_PAGE
        )
        return page.items

    async def kept(before: str | None) -> Sequence[AuditRecord]:
        return await own.records.page(user_id, before, WHOLE_LIST_PAGE)

    async for token in paged(tokens, lambda one: one.token_id):
        yield "personal_token", _json(PersonalTokenResponse.of(token))
    async for invite in paged(invites, lambda one: one.invite_id):
        yield "invitation", _json(InviteResponse.of(invite))
    async for record in paged(kept, lambda one: one.record_id):
        yield "audit_record", _json(AuditRecordResponse.of(record))


def _json(model: ResponseModel) -> dict[str, Any]:
    return model.model_dump(mode="json")
