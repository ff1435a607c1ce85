"""An administrator voids a password that is known to others."""

import pytest

from libs.chassis.audit import AuditResult
from libs.chassis.scopes import SCOPES
from libs.events.catalog import (
    AccountPasswordChanged,
    AccountPasswordVoided,
    AccountResetRequested,
    SessionRevoked,
)
from services.auth.domain import (
    RevokeReason,
    UserStatus,
    hash_secret,
)
from services.auth.domain.errors import (
    CredentialsInvalidError,
    LinkInvalidError,
    NotPermittedError,
    PasswordMissingError,
    PersonalTokenInvalidError,
    RefreshTokenInvalidError,
    StatusRefusedError,
)
from services.auth.service import SUSPEND
from services.auth.service.personal_tokens import TokenWish
from tests.unit.auth.conftest import ADDRESS, EMAIL

WHY = "it was on a list of leaked ones"
NEW = "quite another sentence"


@pytest.fixture
async def admin(house):
    """An admin with a fresh session."""
    return await house.person("admin")


@pytest.fixture
async def ann(house):
    """Whose password leaked."""
    return await house.join()


@pytest.fixture
def void(house):
    """The use case."""
    return house.state["password_void"]


async def test_sr_6_a_voided_password_ends_sessions_and_tokens(house, admin, ann, void):
    """SR-6: what it opened before is over, for programs too, and said to be."""
    session = await house.login()
    made = await house.state["personal_tokens"].create(
        ann, session.session_id, TokenWish("script", tuple(SCOPES)[:1], 30)
    )
    await void.order(admin, ann, WHY)
    with pytest.raises(RefreshTokenInvalidError):
        await house.state["renewal"].refresh(session.refresh_token)
    with pytest.raises(PersonalTokenInvalidError):
        await house.state["personal_tokens"].resolve(hash_secret(made.text))
    ended = {one.session_id for one in house.announcer.announced}
    assert ended == {session.session_id, made.token.token_id}
    reasons = {event.reason for event in house.bus.published_of(SessionRevoked)}
    assert reasons == {RevokeReason.PASSWORD_VOIDED}


async def test_en_1_a_voided_password_is_a_wrong_one(house, admin, ann, void):
    """EN-1: the old password gets the answer of any wrong one, and no session."""
    with pytest.raises(CredentialsInvalidError) as wrong:
        await house.login(password="not her password")
    await void.order(admin, ann, WHY)
    with pytest.raises(CredentialsInvalidError) as refused:
        await house.login()
    assert (refused.value.code, str(refused.value)) == (
        wrong.value.code,
        str(wrong.value),
    )


async def test_the_mailed_link_leads_to_a_new_password(house, admin, ann, void):
    """The mail has a link; it works once, and the new password signs in."""
    await void.order(admin, ann, WHY)
    assert (await house.mailed())[-1] is AccountPasswordVoided
    assert house.opened("email") == EMAIL
    passwords, token = house.state["password_change"], house.token()
    await passwords.reset(token=token, password=NEW, client_address=ADDRESS)
    assert (await house.mailed())[-1] is AccountPasswordChanged
    assert (await house.login(password=NEW)).user_id == ann
    with pytest.raises(LinkInvalidError):
        await passwords.reset(token=token, password=NEW, client_address=ADDRESS)


async def test_pw_8_a_lost_link_is_asked_for_again(house, admin, ann, void):
    """PW-8: the way by mail stays open, though there is no password any more."""
    await void.order(admin, ann, WHY)
    await house.state["password_change"].request_reset(email=EMAIL)
    assert (await house.mailed())[-1] is AccountResetRequested


async def test_pw_8_a_link_from_before_is_void(house, admin, ann, void):
    """PW-8: who asked for a link with the leaked password's help follows none."""
    await house.state["password_change"].request_reset(email=EMAIL)
    await house.bus.settled()
    before = house.token()
    await void.order(admin, ann, WHY)
    with pytest.raises(LinkInvalidError):
        await house.state["password_change"].reset(
            token=before, password=NEW, client_address=ADDRESS
        )


async def test_au_2_it_is_recorded_and_so_is_a_refusal(house, admin, ann, void):
    """AU-2: who, to whom and why; a moderator is refused, and that is kept too."""
    moderator = await house.person("moderator", name="Mo")
    with pytest.raises(NotPermittedError):
        await void.order(moderator, ann, WHY)
    await void.order(admin, ann, WHY)
    refused, done = [
        entry
        for entry in house.adapters.stores.audit.entries
        if entry.action == "password.voided"
    ]
    assert (refused.actor_id, refused.result) == (
        moderator.user_id,
        AuditResult.REFUSED,
    )
    assert (done.actor_id, done.target_id, done.reason) == (admin.user_id, ann, WHY)


async def test_a_suspended_account_gets_no_link(house, admin, ann, void):
    """Nobody who may not come in is sent a way in; the password is worthless anyway."""
    await house.state["administration"].move(SUSPEND, admin, ann, WHY)
    before = await house.mailed()
    await void.order(admin, ann, WHY)
    assert await house.mailed() == before
    assert await house.adapters.stores.credentials.get(ann, None) is None


async def test_only_what_has_a_password_has_it_voided(house, admin, ann, void):
    """An account of a provider has none, an unverified one has one to come."""
    await house.adapters.stores.credentials.remove(ann, None)
    with pytest.raises(PasswordMissingError):
        await void.order(admin, ann, WHY)
    await house.change(ann, status=UserStatus.PENDING)
    with pytest.raises(StatusRefusedError):
        await void.order(admin, ann, WHY)


async def test_sr_1_the_account_is_pinned(house, admin, ann, void, monkeypatch):
    """SR-1: no sign-in of any kind begins beside it."""
    pinned = house.pins(monkeypatch)
    await void.order(admin, ann, WHY)
    assert ann in pinned
