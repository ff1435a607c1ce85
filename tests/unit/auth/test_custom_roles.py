"""Custom roles: made, changed and deleted by who may, and what they allow."""

import pytest

from services.auth.domain import (
    CUSTOM_ROLES_MAX,
    UserFilter,
)
from services.auth.domain.errors import (
    GrantTooHighError,
    GuestPromotionError,
    NotPermittedError,
    RoleInUseError,
    RoleLimitError,
    RoleMissingError,
    RoleNameInvalidError,
    RolesInvalidError,
)
from services.auth.service import SUSPEND

WHY = "a new team"


@pytest.fixture
async def admin(house):
    """An admin with a fresh session."""
    return await house.person("admin")


@pytest.fixture
def put(house, admin):
    """Make or change a role as the admin."""

    async def put_role(name, *permissions, actor=admin):
        return await house.state["custom_roles"].put(
            actor, name, description="", permissions=permissions, reason=WHY
        )

    return put_role


async def test_custom_role_allows_what_it_names(house, admin, put):
    """A member with a role that may suspend suspends members, and no moderator."""
    await put("support", "users.suspend")
    bea, cat = await house.person("member"), await house.person("member")
    administration = house.state["administration"]
    with pytest.raises(NotPermittedError):
        await administration.move(SUSPEND, bea, cat.user_id, WHY)
    roles = ["member", "support"]
    await administration.change_roles(admin, bea.user_id, roles, WHY)
    await administration.move(SUSPEND, bea, cat.user_id, WHY)
    assert (await house.user(bea.user_id)).roles == ("member", "support")


async def test_sr_1_a_role_that_shrinks_acts_at_once(house, admin, put):
    """SR-1: what a role no longer allows is refused to whoever has it."""
    await put("support", "users.read", "users.suspend")
    bea = await house.person("member", "support")
    lookup = house.state["lookup"]
    await lookup.find(bea, UserFilter(), after=None, limit=10)
    await put("support", "users.suspend")
    with pytest.raises(NotPermittedError):
        await lookup.find(bea, UserFilter(), after=None, limit=10)


async def test_losing_a_custom_role_ends_sessions(house, admin, put):
    """SR-1: also where the base role stays."""
    await put("support", "users.read")
    bea = await house.person("member", "support")
    change = house.state["administration"].change_roles
    await change(admin, bea.user_id, ["member"], WHY)
    assert [one.session_id for one in house.announcer.announced] == [bea.session_id]


async def test_az_7_who_manages_roles_makes_none_beyond_their_own(house, admin, put):
    """AZ-7: neither a new one, nor a change of a mightier one, nor its end."""
    await put("role-maker", "roles.manage", "users.read")
    await put("auditor", "audit.read")
    bea = await house.person("member", "role-maker")
    await put("reader", "users.read", actor=bea)
    for name in ("reader", "auditor"):
        with pytest.raises(GrantTooHighError):
            await put(name, "audit.read", actor=bea)
    with pytest.raises(GrantTooHighError):
        await put("auditor", "users.read", actor=bea)
    with pytest.raises(GrantTooHighError):
        await house.state["custom_roles"].remove(bea, "auditor", WHY)


async def test_az_7_guest_gets_no_custom_role(house, admin, put):
    """AZ-7: nor does who has one become a guest with it."""
    await put("support", "users.read")
    guest, bea = await house.person("guest"), await house.person("member", "support")
    change = house.state["administration"].change_roles
    for who, roles in ((guest, ["member", "support"]), (bea, ["guest", "support"])):
        with pytest.raises(GuestPromotionError):
            await change(admin, who.user_id, roles, WHY)


async def test_role_in_use_is_not_deleted(house, admin, put):
    """First nobody has it, then it goes."""
    await put("support", "users.read")
    bea = await house.person("member", "support")
    remove = house.state["custom_roles"].remove
    with pytest.raises(RoleInUseError):
        await remove(admin, "support", WHY)
    await house.change(bea.user_id, roles=("member",))
    await remove(admin, "support", WHY)
    with pytest.raises(RoleMissingError):
        await remove(admin, "support", WHY)
    assert await house.state["custom_roles"].all(admin.user_id) == []


async def test_wrong_names_and_permissions_are_refused(put):
    """Only permissions of the table, only names that are free to take."""
    with pytest.raises(RoleNameInvalidError):
        await put("admin", "users.read")
    with pytest.raises(RolesInvalidError):
        await put("support", "everything")
    with pytest.raises(RolesInvalidError):
        await put("support")


async def test_roles_are_bounded(put):
    """A hundred custom roles, and changes of them, but not one more."""
    for number in range(CUSTOM_ROLES_MAX):
        await put(f"team-{number}", "users.read")
    await put("team-0", "users.suspend")
    with pytest.raises(RoleLimitError):
        await put("one-more", "users.read")


async def test_members_neither_see_nor_make_roles(house, put):
    """Reading needs to see users, changing needs to manage roles."""
    bea, mod = await house.person("member"), await house.person("moderator")
    with pytest.raises(NotPermittedError):
        await house.state["custom_roles"].all(bea.user_id)
    assert await house.state["custom_roles"].all(mod.user_id) == []
    for actor in (bea, mod):
        with pytest.raises(NotPermittedError):
            await put("support", "users.read", actor=actor)
