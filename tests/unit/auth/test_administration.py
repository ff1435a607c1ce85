"""What administrators do to others' accounts, and what nobody may."""

from datetime import timedelta

import pytest

from libs.chassis.audit import AuditResult
from libs.events.catalog import SessionRevoked, UserSuspended, UserUpdated
from libs.kernel import AppError, UserId, new_id
from services.auth.domain import (
    RevokeReason,
    UserStatus,
)
from services.auth.domain.errors import (
    CredentialsInvalidError,
    NotPermittedError,
    OwnAccountError,
    ReasonInvalidError,
    RefreshTokenInvalidError,
    SessionMissingError,
    StatusRefusedError,
    StepUpRequiredError,
    TargetOutranksError,
    UserMissingError,
)
from services.auth.service import DEACTIVATE, REACTIVATE, REINSTATE, SUSPEND
from tests.unit.auth.conftest import EMAIL, PASSWORD

WHY = "asked for by the works council"


@pytest.fixture
async def admin(house):
    """An admin with a fresh session; there is no other."""
    return await house.person("admin")


@pytest.fixture
def administration(house):
    """The use cases."""
    return house.state["administration"]


async def test_sr_6_suspension_ends_every_session(house, admin, administration):
    """SR-6: sessions end and are announced, refresh and sign-in are refused."""
    ann = await house.join()
    signed_in = [await house.login() for _ in range(2)]
    house.announcer.announced.clear()
    user = await administration.move(SUSPEND, admin, ann, WHY)
    assert user.status is UserStatus.SUSPENDED
    ended = {session.session_id for session in house.announcer.announced}
    assert ended == {one.session_id for one in signed_in}
    revoked = house.bus.published_of(SessionRevoked)
    assert {event.session_id for event in revoked} >= ended
    assert {event.reason for event in revoked} == {RevokeReason.SUSPENDED}
    [told] = house.bus.published_of(UserSuspended)
    assert (told.user_id, told.revision, told.is_suspended) == (ann, 3, True)
    with pytest.raises(RefreshTokenInvalidError):
        await house.state["renewal"].refresh(signed_in[0].refresh_token)
    with pytest.raises(CredentialsInvalidError):
        await house.login()


async def test_reinstated_user_signs_in_again(house, admin, administration):
    """What suspension took, reinstatement gives back."""
    ann = await house.join()
    await administration.move(SUSPEND, admin, ann, WHY)
    await administration.move(REINSTATE, admin, ann, WHY)
    assert (await house.login()).user_id == ann
    assert [e.is_suspended for e in house.bus.published_of(UserSuspended)] == [
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("first", "act", "is_allowed"),
    [
        (None, REINSTATE, True),  # active already: nothing to do
        (SUSPEND, SUSPEND, True),
        (SUSPEND, DEACTIVATE, True),
        (SUSPEND, REACTIVATE, False),
        (DEACTIVATE, REINSTATE, False),
        (DEACTIVATE, SUSPEND, False),
        (DEACTIVATE, REACTIVATE, True),
    ],
)
async def test_acts_lead_from_their_own_statuses(house, admin, first, act, is_allowed):
    """Reinstating is for the suspended, reactivating for the deactivated."""
    ann, administration = await house.join(), house.state["administration"]
    if first is not None:
        await administration.move(first, admin, ann, WHY)
    if is_allowed:
        user = await administration.move(act, admin, ann, WHY)
        assert user.status is act.after
    else:
        with pytest.raises(StatusRefusedError):
            await administration.move(act, admin, ann, WHY)


async def test_pending_account_is_not_activated_by_an_admin(
    house, admin, administration
):
    """Only the owner of the address verifies it."""
    await house.register()
    pending = UserId(house.mails[-1][0].user_id)
    for act in (SUSPEND, DEACTIVATE):
        with pytest.raises(StatusRefusedError):
            await administration.move(act, admin, pending, WHY)
    for act in (REINSTATE, REACTIVATE):
        with pytest.raises(StatusRefusedError):
            await administration.move(act, admin, pending, WHY)


async def test_sr_1_role_loss_acts_at_once(house, admin, administration):
    """SR-1: who loses rights loses every session, and administrates no more."""
    bea = await house.person("moderator")
    ann = await house.join()
    await administration.change_roles(admin, bea.user_id, ["member"], WHY)
    [ended] = house.announcer.announced
    assert (ended.session_id, ended.revoke_reason) == (
        bea.session_id,
        RevokeReason.ROLES_CHANGED,
    )
    updated = house.bus.published_of(UserUpdated)[-1]
    assert (updated.user_id, updated.roles) == (bea.user_id, ("member",))
    with pytest.raises(NotPermittedError):
        await administration.move(SUSPEND, bea, ann, WHY)


async def test_promotion_keeps_sessions(house, admin, administration):
    """Who only gains is not signed out."""
    bea = await house.person("member")
    user = await administration.change_roles(admin, bea.user_id, ["moderator"], WHY)
    assert user.roles == ("moderator",)
    assert house.announcer.announced == []
    again = await administration.change_roles(admin, bea.user_id, ["moderator"], WHY)
    assert again.revision == user.revision


@pytest.mark.parametrize(
    ("own", "target", "wanted", "code"),
    [
        ("admin", "guest", ["admin"], "guest_promotion"),
        ("admin", "guest", ["moderator"], "guest_promotion"),
        ("admin", "guest", ["member"], None),
        ("admin", "member", ["admin"], None),
        ("admin", "admin", ["member"], None),
        ("admin", "member", ["guest"], None),
        ("admin", "member", ["member", "unknown"], "roles_invalid"),
        ("admin", "member", ["owner"], "roles_invalid"),
        ("admin", "member", ["member", "admin"], "roles_invalid"),
        ("moderator", "member", ["guest"], "not_permitted"),
        ("member", "member", ["admin"], "not_permitted"),
        ("guest", "guest", ["admin"], "not_permitted"),
    ],
)
async def test_az_7_changes_of_roles(house, own, target, wanted, code):
    """AZ-7: who gives whom what; nobody gives what is not theirs."""
    await house.person("admin")
    actor, other = await house.person(own), await house.person(target)
    change_roles = house.state["administration"].change_roles
    change = change_roles(actor, other.user_id, wanted, WHY)
    if code is None:
        assert (await change).roles == tuple(wanted)
        return
    with pytest.raises(AppError) as caught:
        await change
    assert caught.value.code == code
    assert (await house.user(other.user_id)).roles == (target,)


async def test_az_7_no_self_promotion_and_no_act_on_oneself(
    house, admin, administration
):
    """AZ-7: neither upwards nor downwards, nor out."""
    for own in ("admin", "member"):
        with pytest.raises(OwnAccountError):
            await administration.change_roles(admin, admin.user_id, [own], WHY)
    with pytest.raises(OwnAccountError):
        await administration.move(SUSPEND, admin, admin.user_id, WHY)


async def test_az_7_moderator_has_no_power_over_peers_and_admins(
    house, admin, administration
):
    """AZ-7: moderators suspend members, not each other."""
    actor, peer = await house.person("moderator"), await house.person("moderator")
    for target in (admin, peer):
        with pytest.raises(TargetOutranksError):
            await administration.move(SUSPEND, actor, target.user_id, WHY)
        with pytest.raises(TargetOutranksError):
            await administration.end_sessions(actor, target.user_id, None, WHY)
    member = await house.person("member")
    await administration.move(SUSPEND, actor, member.user_id, WHY)


async def test_az_7_suspended_admin_counts_as_none(house, admin, administration):
    """AZ-7: who cannot sign in does not administrate; whoever is left does."""
    other = await house.person("admin")
    register = house.adapters.stores.register
    await administration.move(SUSPEND, admin, other.user_id, WHY)
    assert await register.has_other_admin(other.user_id, None)
    await house.change(admin.user_id, status=UserStatus.SUSPENDED)
    assert not await register.has_other_admin(UserId(new_id()), None)


async def test_mf_6_an_act_needs_a_fresh_proof(house, admin, administration):
    """MF-6: permission is told first, then the proof is asked for."""
    member = await house.person("member")
    house.clock.advance(timedelta(minutes=6))
    with pytest.raises(StepUpRequiredError):
        await administration.move(SUSPEND, admin, member.user_id, WHY)
    with pytest.raises(NotPermittedError):
        await administration.move(SUSPEND, member, admin.user_id, WHY)


async def test_suspended_admin_acts_no_more(house, admin, administration):
    """A token that outlives the account opens nothing."""
    actor = await house.person("admin")
    await house.change(actor.user_id, status=UserStatus.SUSPENDED)
    with pytest.raises(NotPermittedError):
        await administration.move(SUSPEND, actor, admin.user_id, WHY)


async def test_ends_one_session_or_all(house, admin, administration):
    """Another's sessions end one by one or together; a stranger's are not found."""
    ann = await house.join()
    first, second = await house.login(), await house.login()
    end = administration.end_sessions
    assert await end(admin, ann, first.session_id, WHY) == 1
    assert await end(admin, ann, first.session_id, WHY) == 0
    assert await end(admin, ann, None, WHY) == 1
    with pytest.raises(RefreshTokenInvalidError):
        await house.state["renewal"].refresh(second.refresh_token)
    with pytest.raises(SessionMissingError):
        await end(admin, ann, admin.session_id, WHY)


async def test_au_2_every_act_and_every_refusal_is_recorded(
    house, admin, administration
):
    """AU-2: actor, target, reason and source; refusals with their code."""
    ann = await house.join()
    await administration.move(SUSPEND, admin, ann, WHY)
    audit = house.adapters.stores.audit
    [done] = audit.of("user.suspended")
    assert (done.actor_id, done.target_id, done.reason) == (admin.user_id, ann, WHY)
    assert (done.session_id, done.source) == (admin.session_id, admin.address)
    member = await house.person("member")
    with pytest.raises(NotPermittedError):
        await administration.change_roles(member, ann, ["admin"], WHY)
    [refused] = audit.of("user.roles_changed")
    assert (refused.actor_id, refused.result, refused.reason) == (
        member.user_id,
        AuditResult.REFUSED,
        "not_permitted",
    )


@pytest.mark.parametrize("reason", ["", "  ", "ab", "x" * 201, "a\x00bc", "a\u202ebc"])
async def test_a_reason_is_given_in_readable_words(
    house, admin, administration, reason
):
    """AU-3: what goes into the audit has no control or direction characters."""
    ann = await house.join()
    with pytest.raises(ReasonInvalidError):
        await administration.move(SUSPEND, admin, ann, reason)


async def test_unknown_account_is_missing(admin, administration):
    """404 for an id of nobody, for those who may ask at all."""
    with pytest.raises(UserMissingError):
        await administration.move(SUSPEND, admin, UserId(new_id()), WHY)


async def test_operator_appoints_the_first_admin(house):
    """The command's use case: active accounts alone, idempotent, recorded."""
    await house.register()
    appoint = house.state["appointment"].appoint
    with pytest.raises(StatusRefusedError):
        await appoint(EMAIL)
    await house.state["registration"].verify(house.token(), PASSWORD)
    admin = await appoint(EMAIL.upper())
    assert admin.roles == ("admin",)
    assert (await appoint(EMAIL)).revision == admin.revision
    with pytest.raises(UserMissingError):
        await appoint("nobody@example.test")
    [record] = house.adapters.stores.audit.of("user.roles_changed")
    assert (record.actor_id, record.target_id) == ("operator", admin.user_id)


async def test_sign_in_that_is_overtaken_by_a_suspension_gets_no_session(house):
    """A session never begins on an account that stopped being active meanwhile."""
    ann = await house.join()
    user = await house.user(ann)
    await house.change(ann, status=UserStatus.SUSPENDED)
    with pytest.raises(CredentialsInvalidError):
        await house.state["sign_in"].entrance.enter(user, house.device(), ())
