"""Registration modes and invitations: PW-8, EN-1, AZ-7."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from libs.events.catalog import AccountInvited, UserCreated, UserVerified
from libs.kernel import AppError, new_id
from services.auth.domain import (
    EmailAddress,
    RegistrationMode,
    RegistrationRules,
    UserStatus,
)
from services.auth.domain.errors import (
    EmailDomainRefusedError,
    InviteMissingError,
    InvitesRefusedError,
    LinkInvalidError,
    PasswordInvalidError,
    RegistrationClosedError,
    UserMissingError,
)
from services.auth.service import DEACTIVATE, REACTIVATE, REINSTATE, SUSPEND
from tests.unit.auth.conftest import EMAIL, PASSWORD

BOB = "bob@example.test"
ADMIN = ("admin", "member")
MEMBER = ("member",)


@pytest.fixture
async def ann(house):
    """An administrator who invites."""
    ann = await house.join()
    await house.change(ann, roles=("admin",))
    return ann


async def _invite(house, ann, email=BOB, roles=ADMIN, **fields):
    made = await house.state["invitations"].invite(
        ann, roles, **{"email": email, "role": "member", "locale": "en"} | fields
    )
    await house.bus.settled()
    return made


def _accept(house, token, *, password=PASSWORD, name="Bob", address="10.0.0.1"):
    return house.state["invitations"].accept(
        token=token,
        password=password,
        display_name=name,
        locale="de",
        client_address=address,
    )


async def _suspended(house, ann):
    await house.change(ann, status=UserStatus.SUSPENDED)


async def _closed(house, ann):
    closed = RegistrationRules(RegistrationMode.CLOSED)
    invitations = house.state["invitations"]
    house.state["invitations"] = replace(invitations, rules=closed)


async def _demoted(house, ann):
    await house.change(ann, roles=("guest",))


@pytest.mark.parametrize("then", [_suspended, _closed, _demoted])
async def test_an_invitation_does_not_outlast_the_right_to_send_it(house, ann, then):
    """Who could not invite any more lets nobody in by what they sent before."""
    await _invite(house, ann)
    token = house.token()
    await then(house, ann)
    with pytest.raises(LinkInvalidError):
        await _accept(house, token)
    assert (
        await house.adapters.stores.users.find_by_email(EmailAddress.parse(BOB), None)
        is None
    )


@pytest.mark.parametrize("act", [SUSPEND, DEACTIVATE])
async def test_who_is_let_in_again_finds_no_invitation_of_before(house, ann, act):
    """What was sent by who is shut out is void for good, and recorded once."""
    boss = await house.person("admin")
    await _invite(house, ann)
    token = house.token()
    await _invite(house, ann, "eve@example.test")
    move = house.state["administration"].move
    await move(act, boss, ann, "left with a laptop")
    assert house.adapters.stores.invites._invites == {}
    assert house.adapters.stores.links._links == {}
    await move(REINSTATE if act is SUSPEND else REACTIVATE, boss, ann, "came back")
    with pytest.raises(LinkInvalidError):
        await _accept(house, token)
    [kept] = house.adapters.stores.audit.of("invite.revoked")
    assert (kept.actor_id, kept.target_id) == (boss.user_id, ann)
    assert kept.details == {"count": 2}


async def test_the_sender_of_an_invitation_is_pinned(house, ann, monkeypatch):
    """None slips in beside the transaction that shuts its sender out."""
    pinned = house.pins(monkeypatch)
    await _invite(house, ann)
    assert pinned == [ann]


async def test_pw_6_an_invented_link_costs_no_hash(house, ann, monkeypatch):
    """PW-6: nobody keeps the threads busy with what is in no mail."""

    async def hashed(_):
        raise AssertionError("a hash was computed")

    monkeypatch.setattr(house.adapters.hasher, "hash", hashed)
    with pytest.raises(LinkInvalidError):
        await _accept(house, "invented")
    with pytest.raises(LinkInvalidError):
        await house.state["password_change"].reset(
            token="invented", password=PASSWORD, client_address="10.0.0.1"
        )


async def test_invited_person_opens_a_verified_account(house, ann):
    """The link proves the address; password, name and language are the person's."""
    await _invite(house, ann, role="guest")
    event, _ = house.mails[-1]
    assert (event.inviter_name, house.opened("email")) == ("Ann", BOB)
    await _accept(house, house.token())
    created = house.bus.published_of(UserCreated)[-1]
    verified = house.bus.published_of(UserVerified)[-1]
    assert created.roles == ("guest",)
    assert (verified.user_id, verified.locale) == (created.user_id, "de")
    assert (await house.login(BOB)).user_id == created.user_id
    page = await house.state["invitations"].list_waiting(
        ann, ADMIN, after=None, limit=10
    )
    assert page.items == []


async def test_pw_8_race_of_one_invitation_has_one_winner(house, ann):
    """PW-8: of 50 parallel redemptions one succeeds, and opens one account."""
    await _invite(house, ann)
    token = house.token()
    results = await asyncio.gather(
        *(_accept(house, token, address=f"10.0.1.{n}") for n in range(50)),
        return_exceptions=True,
    )
    assert results.count(None) == 1
    assert sum(isinstance(result, LinkInvalidError) for result in results) == 49
    assert len(house.bus.published_of(UserCreated)) == 2


async def test_invitation_takes_over_an_account_that_only_waited(house, ann):
    """Who registered and never followed the link is let in by the invitation."""
    pending = await house.register(BOB, password="password of a stranger")
    await _invite(house, ann)
    await _accept(house, house.token())
    assert await house.login(BOB)
    with pytest.raises(AppError):
        await house.state["registration"].verify(pending, PASSWORD)


async def test_pw_8_invitation_expires_after_seven_days(house, ann):
    """PW-8's documented exception: seven days, then neither listed nor accepted."""
    await _invite(house, ann)
    house.clock.advance(timedelta(days=7))
    with pytest.raises(LinkInvalidError):
        await _accept(house, house.token())


async def test_revoked_invitation_is_void(house, ann):
    """Only the inviter and administrators revoke; the link is dead at once."""
    made = await _invite(house, ann)
    invitations = house.state["invitations"]
    with pytest.raises(InviteMissingError):
        await invitations.revoke(new_id(), MEMBER, made.invite_id)
    await invitations.revoke(ann, MEMBER, made.invite_id)
    with pytest.raises(InviteMissingError):
        await invitations.revoke(ann, MEMBER, made.invite_id)
    with pytest.raises(LinkInvalidError):
        await _accept(house, house.token())


async def test_en_1_inviting_an_existing_account_looks_the_same(house, ann):
    """EN-1: the invitation is there to see, but no mail goes out."""
    await house.join(BOB)
    before = len(house.mails)
    made = await _invite(house, ann)
    other = await _invite(house, ann, "carol@example.test")
    assert len(house.mails) == before + 1
    page = await house.state["invitations"].list_waiting(
        ann, MEMBER, after=None, limit=10
    )
    assert page.items == [made, other]


async def test_account_opened_meanwhile_makes_the_invitation_invalid(house, ann):
    """An invitation changes no account that exists."""
    await _invite(house, ann)
    token = house.token()
    await house.join(BOB, password="my own long password")
    with pytest.raises(LinkInvalidError):
        await _accept(house, token)
    assert await house.login(BOB, password="my own long password")


async def test_pw_5_invited_password_obeys_the_rules(house, ann):
    """PW-5: the policy knows the invited address."""
    for password in ("Passwordstandard", BOB, "short"):
        await _invite(house, ann)
        with pytest.raises(PasswordInvalidError):
            await _accept(house, house.token(), password=password)


@pytest.mark.parametrize(
    ("roles", "mode", "is_member_inviting", "may_invite"),
    [
        (ADMIN, RegistrationMode.OPEN, False, True),
        (ADMIN, RegistrationMode.INVITE_ONLY, False, True),
        (ADMIN, RegistrationMode.CLOSED, True, False),
        (MEMBER, RegistrationMode.OPEN, False, False),
        (MEMBER, RegistrationMode.OPEN, True, True),
        (("guest",), RegistrationMode.OPEN, True, False),
    ],
)
def test_az_7_who_invites(roles, mode, is_member_inviting, may_invite):
    """AZ-7: administrators, members where the setting says so, guests never."""
    rules = RegistrationRules(mode, is_member_inviting=is_member_inviting)
    if may_invite:
        rules.check_invites(roles)
    else:
        with pytest.raises(InvitesRefusedError):
            rules.check_invites(roles)


def test_registration_modes():
    """Open lets anybody in, or addresses of some domains; the others nobody."""
    ann = EmailAddress.parse(EMAIL)
    RegistrationRules().check_registration(ann)
    RegistrationRules(domains=frozenset({"example.test"})).check_registration(ann)
    for domain in ("other.test", "test", "sub.example.test", "ample.test"):
        with pytest.raises(EmailDomainRefusedError):
            RegistrationRules(domains=frozenset({domain})).check_registration(ann)
    for mode in (RegistrationMode.INVITE_ONLY, RegistrationMode.CLOSED):
        with pytest.raises(RegistrationClosedError):
            RegistrationRules(mode).check_registration(ann)


async def test_closed_house_answers_existing_and_missing_alike(house, ann):
    """EN-1: who registers is refused before anything is looked up."""
    closed = replace(
        house.state["registration"],
        rules=RegistrationRules(RegistrationMode.INVITE_ONLY),
    )
    for email in (EMAIL, "nobody@example.test"):
        with pytest.raises(RegistrationClosedError):
            await closed.register(
                email=email, password=PASSWORD, display_name="Ann", locale="en"
            )


async def test_suspended_inviter_invites_nobody(house, ann):
    """A token that is still good does not help."""
    user = await house.adapters.stores.users.get(ann, None)
    changed = user.changed(house.clock.now(), status=UserStatus.SUSPENDED)
    await house.adapters.stores.users.update(changed, None)
    with pytest.raises(UserMissingError):
        await _invite(house, ann)
    assert AccountInvited not in await house.mailed()


async def test_invitations_are_recorded(house, ann):
    """AU: sent, revoked and accepted stand in the audit."""
    made = await _invite(house, ann)
    await house.state["invitations"].revoke(ann, ADMIN, made.invite_id)
    await _invite(house, ann)
    await _accept(house, house.token())
    actions = [entry.action for entry in house.adapters.stores.audit.entries]
    for action, count in (
        ("invite.sent", 2),
        ("invite.revoked", 1),
        ("invite.accepted", 1),
    ):
        assert actions.count(action) == count
