"""Roles, ownership, bans and handles over memory adapters."""

import pytest

from libs.events.catalog import (
    ConversationMemberRemoved,
    ConversationRoleChanged,
)
from libs.kernel import new_id
from services.chat.domain.ban import Ban
from services.chat.domain.conversation import Role
from services.chat.domain.errors import (
    BanNotFoundError,
    ConversationNotFoundError,
    DraftInvalidError,
    LastOwnerError,
    MemberNotFoundError,
    NotPermittedError,
    UserIsBannedError,
    UserNotFoundError,
)
from services.chat.domain.user import User
from tests.unit.chat.support import ADA, GRACE, LIMITS, MALLORY, Chat, user


@pytest.fixture
def chat():
    """A chat; nothing is sent here."""
    return Chat()


def removal_revisions(chat) -> list[int]:
    """Return the revisions of removals that were published."""
    found = chat.bus.published_of(ConversationMemberRemoved)
    return [event.revision for event in found]


async def role_of(chat, group, user_id) -> Role:
    """Return a member's stored role."""
    return (await chat.store.get_member(group, user_id)).role


async def test_an_owner_gives_roles(chat) -> None:
    """Each change takes a revision and moves members_version; the same is none."""
    group = await chat.group(GRACE)
    changed = await chat.roles.change(ADA, group, GRACE, Role.ADMIN)
    again = await chat.roles.change(ADA, group, GRACE, Role.ADMIN)
    assert (changed.role, changed.revision) == (Role.ADMIN, 2)
    assert again == changed
    (event,) = chat.bus.published_of(ConversationRoleChanged)
    assert (event.user_id, event.role, event.changed_by) == (GRACE, "admin", ADA)
    stored = await chat.store.get(group)
    assert (stored.revision, stored.members_version) == (2, 2)


async def test_roles_that_cannot_be_given(chat) -> None:
    """Only by owners, only to members, and one owner stays."""
    group = await chat.group(GRACE)
    with pytest.raises(NotPermittedError):
        await chat.roles.change(GRACE, group, GRACE, Role.OWNER)
    with pytest.raises(MemberNotFoundError):
        await chat.roles.change(ADA, group, MALLORY, Role.ADMIN)
    with pytest.raises(LastOwnerError):
        await chat.roles.change(ADA, group, ADA, Role.MEMBER)
    with pytest.raises(ConversationNotFoundError):
        await chat.roles.change(MALLORY, group, MALLORY, Role.OWNER)
    assert not chat.bus.published_of(ConversationRoleChanged)


async def test_ownership_passes_in_one_change(chat) -> None:
    """The heir comes first, so that there is an owner at every revision."""
    group = await chat.group(GRACE)
    heir = await chat.roles.transfer(ADA, group, GRACE)
    assert (heir.user_id, heir.role) == (GRACE, Role.OWNER)
    assert await role_of(chat, group, ADA) is Role.ADMIN
    told = [
        (event.revision, event.user_id, event.role)
        for event in chat.bus.published_of(ConversationRoleChanged)
    ]
    assert told == [(2, GRACE, "owner"), (3, ADA, "admin")]
    await chat.members.remove(ADA, group, ADA)


async def test_ownership_goes_to_another_member_alone(chat) -> None:
    """Neither to a stranger nor to oneself, and only from an owner."""
    group = await chat.group(GRACE)
    for stranger in (MALLORY, ADA):
        with pytest.raises(MemberNotFoundError):
            await chat.roles.transfer(ADA, group, stranger)
    with pytest.raises(NotPermittedError):
        await chat.roles.transfer(GRACE, group, ADA)


async def test_a_second_owner_steps_back(chat) -> None:
    """Where the heir is an owner already, one role changes."""
    group = await chat.group(GRACE)
    await chat.roles.change(ADA, group, GRACE, Role.OWNER)
    heir = await chat.roles.transfer(ADA, group, GRACE)
    assert heir.role is Role.OWNER
    assert await role_of(chat, group, ADA) is Role.ADMIN


async def test_a_banned_member_is_out_and_stays_out(chat) -> None:
    """Nobody brings them in until the ban is lifted, which brings nobody in."""
    group = await chat.group(GRACE, MALLORY)
    ban = await chat.bans.ban(ADA, group, MALLORY)
    assert (ban.user_id, ban.banned_by) == (MALLORY, ADA)
    assert removal_revisions(chat) == [2]
    assert chat.removals_told == [(group, MALLORY, 2)]
    with pytest.raises(UserIsBannedError):
        await chat.members.add(GRACE, group, MALLORY, Role.MEMBER)
    assert await chat.bans.ban(ADA, group, MALLORY) == ban
    assert removal_revisions(chat) == [2]
    await chat.bans.lift(ADA, group, MALLORY)
    with pytest.raises(BanNotFoundError):
        await chat.bans.lift(ADA, group, MALLORY)
    assert not (await chat.store.get_member(group, MALLORY)).is_active
    await chat.members.add(GRACE, group, MALLORY, Role.MEMBER)


async def test_who_was_never_in_can_be_banned(chat) -> None:
    """It changes no revision, but ends an admission that runs at the same time."""
    group = await chat.group(GRACE)
    await chat.bans.ban(ADA, group, MALLORY)
    stored = await chat.store.get(group)
    assert (stored.revision, stored.members_version) == (1, 2)
    page, following = await chat.bans.page(ADA, group, after="", limit=10)
    assert ([ban.user_id for ban in page], following) == ([MALLORY], None)


async def test_bans_that_are_refused(chat) -> None:
    """Not oneself, nobody unknown, nobody as high, and not by members."""
    group = await chat.group(GRACE, MALLORY)
    await chat.roles.change(ADA, group, GRACE, Role.ADMIN)
    await chat.roles.change(ADA, group, MALLORY, Role.ADMIN)
    for actor, target, error in (
        (ADA, ADA, NotPermittedError),
        (ADA, user(9), UserNotFoundError),
        (GRACE, MALLORY, NotPermittedError),
        (GRACE, ADA, NotPermittedError),
        (user(9), MALLORY, ConversationNotFoundError),
    ):
        with pytest.raises(error):
            await chat.bans.ban(actor, group, target)
    await chat.roles.change(ADA, group, MALLORY, Role.MEMBER)
    for refused in (
        chat.bans.ban(MALLORY, group, GRACE),
        chat.bans.lift(MALLORY, group, GRACE),
        chat.bans.page(MALLORY, group, after="", limit=1),
    ):
        with pytest.raises(NotPermittedError):
            await refused
    assert not chat.bans_store.bans


async def test_there_is_room_for_so_many_bans(chat) -> None:
    """The setting is the limit."""
    group = await chat.group()
    for number in range(LIMITS.bans):
        ban = Ban(
            conversation_id=group,
            user_id=user(100 + number),
            banned_by=ADA,
            banned_at=chat.clock.now(),
        )
        await chat.bans_store.put(ban, session=None)
    with pytest.raises(DraftInvalidError):
        await chat.bans.ban(ADA, group, MALLORY)


async def test_the_list_of_members_tells_bots(chat) -> None:
    """A program is shown as one."""
    group = await chat.group(GRACE)
    chat.users.users[GRACE] = User(user_id=GRACE, is_verified=True, is_bot=True)
    found, _ = await chat.members.page(ADA, group, after="", limit=10)
    assert await chat.members.bots_among(found) == {GRACE}


async def test_somebody_is_brought_in_by_handle(chat) -> None:
    """Whatever the case it is written in; an unknown one is nobody's."""
    group = await chat.group()
    chat.users.users[GRACE] = User(user_id=GRACE, is_verified=True, handle="grace")
    member = await chat.members.add_by_handle(ADA, group, "Grace", Role.GUEST)
    assert (member.user_id, member.role) == (GRACE, Role.GUEST)
    with pytest.raises(UserNotFoundError):
        await chat.members.add_by_handle(ADA, group, "nobody", Role.MEMBER)
    with pytest.raises(ConversationNotFoundError):
        await chat.members.add_by_handle(MALLORY, group, "nobody", Role.MEMBER)


async def test_nobody_is_asked_who_may_inherit_alone(chat) -> None:
    """The last member leaves freely: there is nobody to leave without an owner."""
    group = await chat.group()
    await chat.members.remove(ADA, group, ADA)
    assert removal_revisions(chat) == [2]
    with pytest.raises(ConversationNotFoundError):
        await chat.conversations.get(ADA, group)
    missing = new_id()
    with pytest.raises(ConversationNotFoundError):
        await chat.conversations.get(ADA, missing)
