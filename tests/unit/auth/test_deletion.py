"""Accounts that are to go: asked for, called off, erased, and who has answered."""

import asyncio
from datetime import timedelta

import pytest

from libs.chassis.audit import AuditResult
from libs.chassis.principals import Principal
from libs.crypto import DecryptError
from libs.events.catalog import (
    AccountDeletionCancelled,
    AccountDeletionRequested,
    ErasureCompleted,
    UserDeleted,
    UserSuspended,
)
from libs.kernel import DocumentId, UserId, new_id
from services.auth.domain import (
    Actor,
    AuthMethod,
    BotWish,
    CustomRole,
    PendingSignIn,
    Permission,
    Picture,
    Preferences,
    RevokeReason,
    UserStatus,
)
from services.auth.domain.erasure import ERASING_SERVICES
from services.auth.domain.errors import (
    CredentialsInvalidError,
    DeletionNotConfirmedError,
    ErasureMissingError,
    HandleTakenError,
    LastAdminError,
    NotPermittedError,
    OwnAccountError,
    PersonalTokenInvalidError,
    RefreshTokenInvalidError,
    StatusRefusedError,
    StepUpRequiredError,
    TargetOutranksError,
)
from services.auth.service import (
    REACTIVATE,
    REINSTATE,
    SUSPEND,
    ErasureRetelling,
    TokenWish,
    erasure_metrics,
    hash_personal_token,
)
from tests.support.firing import Watched, assert_fires
from tests.unit.auth.conftest import ADDRESS, EMAIL

WHY = "asked for by the works council"
GRACE = timedelta(days=14)


@pytest.fixture
def deletion(house):
    """The use cases."""
    return house.state["deletion"]


@pytest.fixture
async def ann(house):
    """Somebody with a fresh session, who is about to go."""
    user_id = await house.join()
    signed_in = await house.login()
    return Actor(user_id, signed_in.session_id, ADDRESS)


def set_of(audit, action):
    """Return who did something to whom, of what is recorded."""
    return [(one.actor_id, one.target_id, one.result) for one in audit.of(action)]


async def gone(house, actor, deletion):
    """Ask for a deletion, wait for the end of the grace, and have it done."""
    await deletion.request_own(actor, EMAIL)
    house.clock.advance(GRACE)
    return await house.state["eraser"].erase_due()


async def test_everything_ends_at_once_and_the_owner_is_told(house, ann, deletion):
    """Sessions, tokens, waiting sign-ins and links end; a mail names the day."""
    other = await house.login()
    made = await house.state["personal_tokens"].create(
        ann.user_id, ann.session_id, TokenWish("bot", ("files:read",), 30)
    )
    waiting = PendingSignIn(
        token_hash="a" * 64,
        user_id=ann.user_id,
        device=house.device(),
        methods=(AuthMethod.PASSWORD,),
        expires_at=house.clock.now() + timedelta(minutes=5),
        is_enrolment=False,
    )
    pending = house.adapters.stores.pending_sign_ins
    await pending.add(waiting, None)
    await house.state["password_change"].request_reset(email=EMAIL)
    reset = house.opened("token") if await house.mailed() else None
    due_at = await deletion.request_own(ann, EMAIL.upper())
    assert due_at == house.clock.now() + GRACE
    ended = {(one.session_id, one.revoke_reason) for one in house.announcer.announced}
    reason = RevokeReason.DELETED
    assert {(ann.session_id, reason), (other.session_id, reason)} <= ended
    assert (made.token.token_id, reason) in ended
    with pytest.raises(RefreshTokenInvalidError):
        await house.state["renewal"].refresh(other.refresh_token)
    with pytest.raises(PersonalTokenInvalidError):
        await house.state["personal_tokens"].resolve(hash_personal_token(made.text))
    links = house.adapters.stores.links
    assert reset is not None
    assert links._links == {}
    assert await pending.get(waiting.token_hash) is None
    assert (await house.mailed())[-1] is AccountDeletionRequested
    event, _ = house.mails[-1]
    assert (event.due_at, event.is_own) == (due_at, True)
    assert house.opened("email") == EMAIL


async def test_mf_6_deletion_needs_a_fresh_proof_and_the_address(house, ann, deletion):
    """MF-6: a stolen access token deletes nothing, nor does a slip of the hand."""
    for wrong in ("bea@example.test", "no address", ""):
        with pytest.raises(DeletionNotConfirmedError):
            await deletion.request_own(ann, wrong)
    house.clock.advance(timedelta(minutes=6))
    with pytest.raises(StepUpRequiredError):
        await deletion.request_own(ann, EMAIL)
    assert (await house.user(ann.user_id)).deletion_due_at is None


async def test_signing_in_within_the_grace_calls_it_off(house, ann, deletion):
    """The account goes on, its owner is told, and nothing is erased later."""
    await deletion.request_own(ann, EMAIL)
    house.clock.advance(GRACE - timedelta(seconds=1))
    assert (await house.login()).user_id == ann.user_id
    assert (await house.user(ann.user_id)).deletion_due_at is None
    assert (await house.mailed())[-1] is AccountDeletionCancelled
    house.clock.advance(timedelta(days=1))
    assert await house.state["eraser"].erase_due() == 0
    audit = house.adapters.stores.audit
    assert set_of(audit, "user.deletion_requested") == [
        (ann.user_id, "", AuditResult.SUCCESS)
    ]
    assert len(set_of(audit, "user.deletion_cancelled")) == 1


async def test_nobody_comes_back_after_the_grace(house, ann, deletion):
    """Due is due, also before the work gets to it."""
    await deletion.request_own(ann, EMAIL)
    house.clock.advance(GRACE)
    with pytest.raises(CredentialsInvalidError):
        await house.login()
    assert await house.state["eraser"].erase_due() == 1


async def test_a_sign_in_pins_the_account_that_it_keeps(
    house, ann, deletion, monkeypatch
):
    """Sign-in and erasure both pin: of two at one moment one runs again."""
    pinned = house.pins(monkeypatch)
    await deletion.request_own(ann, EMAIL)
    await house.login()
    await house.state["eraser"].erase(ann.user_id)
    assert pinned.count(ann.user_id) == 3


async def test_suspended_person_is_deleted_all_the_same(house, ann, deletion):
    """A suspension stops no deletion, and no sign-in calls it off."""
    admin = await house.person("admin")
    await deletion.request_own(ann, EMAIL)
    administration = house.state["administration"]
    await administration.move(SUSPEND, admin, ann.user_id, WHY)
    with pytest.raises(CredentialsInvalidError):
        await house.login()
    house.clock.advance(GRACE)
    assert await house.state["eraser"].erase_due() == 1
    assert await house.user(ann.user_id) is None


async def test_erasure_leaves_an_id_and_nothing_else(house, ann, deletion):
    """Address, name, credentials, factors, links, tokens, sessions, invitations."""
    stores, who = house.adapters.stores, ann.user_id
    await house.state["profiles"].set_handle(who, "ann")
    await house.state["second_factors"].offer_totp(who, ann.session_id)
    await house.change(who, roles=("admin",))
    tokens, profiles = stores.personal_tokens, stores.profiles
    made = await house.state["personal_tokens"].create(
        who, ann.session_id, TokenWish("bot", ("files:read",), 30)
    )
    await profiles.preferences.put(who, Preferences(revision=4), None)
    picture = Picture(DocumentId(new_id()), who)
    await profiles.pictures.add(picture, None)
    roles = ("admin",)
    await house.state["invitations"].invite(
        who, roles, email="in@example.test", role="member", locale="en"
    )
    boss = await house.person("admin")
    await house.state["invitations"].invite(
        boss.user_id, roles, email=EMAIL, role="member", locale="en"
    )
    assert await gone(house, ann, deletion) == 1
    assert await house.user(who) is None
    assert await stores.credentials.get(who, None) is None
    assert (await stores.second_factors.get(who, None)).revision == 0
    assert await stores.identities.links.providers_of(who, None) == {}
    assert (stores.links._links, stores.invites._invites) == ({}, {})
    assert await stores.sessions.get(ann.session_id, None) is None
    assert await tokens.get(made.token.token_id, None) is None
    assert await profiles.preferences.get(who, None) == Preferences()
    assert await profiles.pictures.get(picture.document_id, None) is None
    kept = await stores.deletions.erasures.get(who, None)
    assert kept.missing == ERASING_SERVICES
    [told] = house.bus.published_of(UserDeleted)
    assert (told.user_id, told.revision) == (who, kept.revision)
    assert set_of(stores.audit, "user.erased") == [("auth", who, AuditResult.SUCCESS)]
    again = await house.join()
    assert again != who


async def test_a_session_that_ended_just_now_tells_that_and_no_more(
    house, ann, deletion, settings
):
    """Without a grace its id stays for who asks, without device and address."""
    house.set_up_anew(settings.model_copy(update={"deletion_grace_days": 0}))
    await house.state["deletion"].request_own(ann, EMAIL)
    assert await house.state["eraser"].erase_due() == 1
    kept = await house.adapters.stores.sessions.get(ann.session_id, None)
    assert (kept.device_name, kept.client_address) == ("", "")
    assert kept.revoke_reason is RevokeReason.DELETED
    ended = await house.state["session_control"].revoked_since(None, None)
    assert ann.session_id in [one.session_id for one in ended.revoked]


async def test_erasing_twice_is_erasing_once(house, ann, deletion):
    """A second process, or a second round, finds nothing left to do."""
    assert await gone(house, ann, deletion) == 1
    assert await house.state["eraser"].erase(ann.user_id) is False
    assert len(house.bus.published_of(UserDeleted)) == 1


async def test_account_that_cannot_be_read_keeps_no_other(
    house, ann, deletion, monkeypatch
):
    """One whose address was altered at rest is passed over, the next one erased."""
    other = await house.person(name="Zoe")
    await deletion.request_own(ann, EMAIL)
    email = (await house.user(other.user_id)).email.written
    await deletion.request_own(other, email)
    house.clock.advance(GRACE)
    users = house.adapters.stores.users
    pin = users.pin

    async def altered(user_id, session):
        if user_id == ann.user_id:
            raise DecryptError
        return await pin(user_id, session)

    monkeypatch.setattr(users, "pin", altered)
    assert await house.state["eraser"].erase_due() == 1
    assert await house.user(other.user_id) is None


async def test_handle_of_the_deleted_is_nobodys_again(house, ann, deletion):
    """An old mention must not come to mean somebody new."""
    await house.state["profiles"].set_handle(ann.user_id, "ann")
    await gone(house, ann, deletion)
    bea = await house.person(name="Bea")
    with pytest.raises(HandleTakenError):
        await house.state["profiles"].set_handle(bea.user_id, "ann")
    admin, wish = await house.person("admin"), BotWish("Ann", "ann", "member")
    with pytest.raises(HandleTakenError):
        await house.state["bots"].create(admin, wish, WHY)


async def test_bot_goes_without_a_mail(house, deletion):
    """An administrator deletes it as any account; its tokens end at once."""
    admin = await house.person("admin")
    bot = await house.state["bots"].create(admin, BotWish("Bot", None, "member"), WHY)
    made = await house.state["bots"].create_token(
        admin, bot.user_id, TokenWish("ci", ("files:read",), 30), WHY
    )
    await deletion.order(admin, bot.user_id, WHY)
    with pytest.raises(PersonalTokenInvalidError):
        await house.state["personal_tokens"].resolve(hash_personal_token(made.text))
    assert AccountDeletionRequested not in await house.mailed()
    house.clock.advance(GRACE)
    assert await house.state["eraser"].erase_due() == 1


async def test_administrator_closes_the_account_until_it_is_erased(
    house, ann, deletion
):
    """Nobody signs in; only an administrator calls it off, and it stays closed."""
    admin = await house.person("admin")
    user = await deletion.order(admin, ann.user_id, WHY)
    assert user.status is UserStatus.DEACTIVATED
    assert user.deletion_due_at == house.clock.now() + GRACE
    assert await deletion.order(admin, ann.user_id, WHY) == user
    [told] = house.bus.published_of(UserSuspended)
    assert (told.revision, told.is_suspended) == (user.revision, True)
    await house.mailed()
    assert house.mails[-1][0].is_own is False
    with pytest.raises(CredentialsInvalidError):
        await house.login()
    kept = await deletion.cancel(admin, ann.user_id, WHY)
    assert (kept.status, kept.deletion_due_at) == (UserStatus.DEACTIVATED, None)
    assert (await house.mailed())[-1] is AccountDeletionCancelled
    await house.state["administration"].move(REACTIVATE, admin, ann.user_id, WHY)
    assert (await house.login()).user_id == ann.user_id
    audit = house.adapters.stores.audit
    by_admin = (admin.user_id, ann.user_id, AuditResult.SUCCESS)
    assert set_of(audit, "user.deletion_ordered") == [by_admin] * 2
    assert set_of(audit, "user.deletion_cancelled") == [by_admin]


async def test_an_ordered_deletion_voids_what_its_person_sent(house, ann, deletion):
    """Calling it off later brings no invitation back."""
    boss = await house.person("admin")
    await house.change(ann.user_id, roles=("admin",))
    await house.state["invitations"].invite(
        ann.user_id, ("admin",), email="in@example.test", role="member", locale="en"
    )
    await deletion.order(boss, ann.user_id, WHY)
    assert house.adapters.stores.invites._invites == {}


async def test_an_order_keeps_the_day_and_takes_the_way_back(house, ann, deletion):
    """Asked for by the owner first: the day stays, signing in does not keep it."""
    admin = await house.person("admin")
    due_at = await deletion.request_own(ann, EMAIL)
    house.clock.advance(timedelta(minutes=4))
    user = await deletion.order(admin, ann.user_id, WHY)
    assert user.deletion_due_at == due_at
    with pytest.raises(CredentialsInvalidError):
        await house.login()


async def test_az_7_who_reinstates_does_not_undo_an_order(house, ann, deletion):
    """AZ-7: a moderator's act gives a suspended owner no way to call it off."""
    admin, moderator = await house.person("admin"), await house.person("moderator")
    administration = house.state["administration"]
    await administration.move(SUSPEND, moderator, ann.user_id, WHY)
    user = await deletion.order(admin, ann.user_id, WHY)
    assert user.status is UserStatus.DEACTIVATED
    with pytest.raises(StatusRefusedError):
        await administration.move(REINSTATE, moderator, ann.user_id, WHY)


async def test_az_7_deletion_leads_no_way_upwards(house, ann, deletion):
    """AZ-7: not oneself, nobody above, not without the permission."""
    admin, moderator = await house.person("admin"), await house.person("moderator")
    with pytest.raises(OwnAccountError):
        await deletion.order(admin, admin.user_id, WHY)
    for act in (deletion.order, deletion.cancel):
        with pytest.raises(NotPermittedError):
            await act(moderator, ann.user_id, WHY)
    custom = await house.person("member")
    with pytest.raises(NotPermittedError):
        await deletion.order(custom, admin.user_id, WHY)
    assert (await house.user(ann.user_id)).deletion_due_at is None


async def test_az_7_custom_role_that_deletes_stays_below_admins(house, deletion):
    """AZ-7: the permission alone reaches nobody who may do more."""
    role = CustomRole(
        "clerk", "", frozenset({Permission.DELETE_USERS}), house.clock.now()
    )
    await house.adapters.stores.roles.put(role, None)
    admin, clerk = await house.person("admin"), await house.person("member", "clerk")
    with pytest.raises(TargetOutranksError):
        await deletion.order(clerk, admin.user_id, WHY)


async def test_last_admin_stays(house, deletion):
    """Neither by their own wish, nor where the other one is about to go."""
    people = [await house.person("admin", name=name) for name in ("Ada", "Bea")]
    addresses = [(await house.user(one.user_id)).email.written for one in people]
    await deletion.request_own(people[0], addresses[0])
    with pytest.raises(LastAdminError):
        await deletion.request_own(people[1], addresses[1])


async def test_stranger_whose_address_was_registered_gets_no_mail(house, deletion):
    """An address that nobody has shown to be theirs is erased without a word."""
    admin = await house.person("admin")
    token = await house.register()
    pending = UserId(house.mails[-1][0].user_id)
    await deletion.order(admin, pending, WHY)
    assert AccountDeletionRequested not in await house.mailed()
    assert token is not None
    house.clock.advance(GRACE)
    assert await house.state["eraser"].erase_due() == 1


async def test_owner_who_verifies_meanwhile_keeps_the_account(house, deletion):
    """A pending account that was to go is its owner's again by a new link."""
    admin = await house.person("admin")
    await house.register()
    pending = UserId(house.mails[-1][0].user_id)
    await deletion.order(admin, pending, WHY)
    await house.join()
    assert (await house.user(pending)).deletion_due_at is None


async def test_reinstated_person_may_still_come_back(house, ann, deletion):
    """Suspended and reinstated within the grace: signing in counts again."""
    admin = await house.person("admin")
    await deletion.request_own(ann, EMAIL)
    administration = house.state["administration"]
    await administration.move(SUSPEND, admin, ann.user_id, WHY)
    await administration.move(REINSTATE, admin, ann.user_id, WHY)
    await house.login()
    assert (await house.user(ann.user_id)).deletion_due_at is None


async def test_report_says_who_has_answered(house, ann, deletion):
    """The first answer of each counts; strangers and repeats change nothing."""
    admin = await house.person("admin")
    await gone(house, ann, deletion)
    report, who = house.state["erasure_report"], ann.user_id
    at = house.clock.now()

    async def answer(service):
        event = ErasureCompleted(user_id=who, service=service, erased_count=1)
        await report.note_answer(event, house.clock.now(), None)

    await answer("chat")
    house.clock.advance(timedelta(hours=1))
    for name in ("chat", "gateway", "project", "media"):
        await answer(name)
    [one] = (await report.page(admin, is_complete=False, after=None, limit=5)).items
    assert one.answers["chat"] == at
    assert one.missing == ("notification",)
    await answer("notification")
    page = await report.page(admin, is_complete=False, after=None, limit=5)
    assert page.items == []
    page = await report.page(admin, is_complete=True, after=None, limit=5)
    assert [one.user_id for one in page.items] == [who]
    member = await house.person("member")
    with pytest.raises(NotPermittedError):
        await report.page(member, is_complete=None, after=None, limit=5)


async def test_late_services_are_told_once_more(house, ann, deletion):
    """The same event under its old revision; nothing where all have answered."""
    await gone(house, ann, deletion)
    stores = house.adapters.stores
    retelling = ErasureRetelling(
        house.bus, stores.deletions.erasures, stores.audit, house.clock
    )
    house.clock.advance(timedelta(days=2))
    assert await retelling.retell_all() == [ann.user_id]
    first, second = house.bus.published_of(UserDeleted)
    assert first == second
    kept = await stores.deletions.erasures.get(ann.user_id, None)
    assert kept.told_at == house.clock.now()
    for name in ERASING_SERVICES:
        await stores.deletions.erasures.answer(ann.user_id, name, kept.told_at, None)
    assert await retelling.retell_all() == []
    for nobody in (ann.user_id, UserId(new_id())):
        with pytest.raises(ErasureMissingError):
            await retelling.retell(nobody)


async def test_who_is_answered_for_meanwhile_keeps_nobody_untold(
    house, ann, deletion, monkeypatch
):
    """Telling all of them goes on past one whose services answer at that moment."""
    bea = await house.person("member")
    address = (await house.user(bea.user_id)).email.written
    await deletion.request_own(bea, address)
    await gone(house, ann, deletion)
    stores = house.adapters.stores
    erasures, now = stores.deletions.erasures, house.clock.now()
    page = erasures.page

    async def answered_behind(**asked):
        found = await page(**asked)
        if found:
            for name in ERASING_SERVICES:
                await erasures.answer(found[0].user_id, name, now, None)
        return found

    monkeypatch.setattr(erasures, "page", answered_behind)
    retelling = ErasureRetelling(house.bus, erasures, stores.audit, house.clock)
    last = max(ann.user_id, bea.user_id)
    assert await retelling.retell_all() == [last]


async def test_the_grace_is_told_before_it_is_needed(house, api, ann):
    """A client warns with it; nobody's token but a session's asks."""
    path, who = "/api/v1/me/deletion", house.principal(ann)
    assert (await api("GET", path, who=who)).json() == {"grace_days": GRACE.days}
    token = Principal(ann.user_id, ann.session_id, scopes=("profile:read",))
    assert (await api("GET", path, who=token)).status == 403


async def test_without_a_grace_no_mail_offers_a_way_back(house, ann, settings):
    """What is due at once cannot be called off; a link to that would end as it goes."""
    house.set_up_anew(settings.model_copy(update={"deletion_grace_days": 0}))
    due_at = await house.state["deletion"].request_own(ann, EMAIL)
    assert due_at == house.clock.now()
    assert AccountDeletionRequested not in await house.mailed()
    assert await house.state["eraser"].erase_due() == 1


async def test_metrics_tell_what_is_late(house, ann, deletion):
    """Oldest and number by service, and accounts that nobody erases."""
    stores = house.adapters.stores

    async def measured(metric, *labels):
        await erasure_metrics.measure(
            stores.deletions.queue, stores.deletions.erasures, house.clock.now()
        )
        return (metric.labels(*labels) if labels else metric)._value.get()

    await deletion.request_own(ann, EMAIL)
    assert await measured(erasure_metrics.overdue_seconds) == 0
    watched = Watched("auth")
    watched.look()
    house.clock.advance(GRACE + timedelta(hours=2))
    assert await measured(erasure_metrics.overdue_seconds) == 7_200
    watched.look()
    assert_fires("DeletionOverdue", watched)
    await house.state["eraser"].erase_due()
    assert await measured(erasure_metrics.overdue_seconds) == 0
    house.clock.advance(timedelta(days=1))
    await stores.deletions.erasures.answer(ann.user_id, "chat", house.clock.now(), None)
    assert await measured(erasure_metrics.oldest_seconds, "media") == 86_400
    house.clock.advance(timedelta(minutes=1))
    assert await measured(erasure_metrics.oldest_seconds, "media") == 86_460
    watched.look()
    assert_fires("ErasureUnanswered", watched)
    assert await measured(erasure_metrics.waiting, "media") == 1
    assert await measured(erasure_metrics.oldest_seconds, "chat") == 0
    assert await measured(erasure_metrics.waiting, "chat") == 0


async def test_work_goes_on_by_itself(house, ann, deletion):
    """A round that finds the lease with another process is followed by the next."""
    await deletion.request_own(ann, EMAIL)
    house.clock.advance(GRACE)
    working = asyncio.create_task(house.state["eraser"].run(0.01))
    async with asyncio.timeout(5):
        while await house.user(ann.user_id):  # noqa: ASYNC110 - it is in the store
            await asyncio.sleep(0.01)
    working.cancel()
    await asyncio.wait({working})
