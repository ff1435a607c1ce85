"""The table of roles, and what follows from it."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest

from libs.kernel import UserId, new_id
from services.auth.domain import (
    PERMISSIONS,
    CustomRole,
    Permission,
    Role,
    check_role_name,
    check_roles,
    standing_of,
)
from services.auth.domain.errors import (
    GrantTooHighError,
    NotPermittedError,
    OwnAccountError,
    RoleNameInvalidError,
    RolesInvalidError,
    TargetOutranksError,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _custom(*permissions, name="support"):
    return CustomRole(name, "", frozenset(permissions), NOW)


def _standing(*roles, custom=()):
    return standing_of(UserId(new_id()), roles, custom)


def test_each_role_allows_more_than_the_one_below():
    """Admin, moderator, member, guest: every step up adds."""
    sets = [PERMISSIONS[role] for role in reversed(Role)]
    for below, above in pairwise(sets):
        assert below < above
    assert PERMISSIONS[Role.ADMIN] == set(Permission)
    assert PERMISSIONS[Role.GUEST] == set()


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("permission", Permission)
def test_az_1_standing_says_what_the_table_says(role, permission):
    """AZ-1: each cell of the table, both ways."""
    standing = _standing(role.value)
    if permission in PERMISSIONS[role]:
        standing.require(permission)
    else:
        with pytest.raises(NotPermittedError):
            standing.require(permission)


def test_custom_role_adds_but_not_to_a_guest():
    """A custom role adds its permissions; a guest's are void."""
    support = _custom(Permission.READ_USERS)
    member = _standing("member", "support", custom=[support])
    member.require(Permission.READ_USERS)
    member.require(Permission.SEARCH_PEOPLE)
    guest = _standing("guest", "support", custom=[support])
    assert guest.permissions == set()


def test_without_a_base_role_one_is_a_guest():
    """Names that nobody knows allow nothing."""
    assert _standing().base is Role.GUEST
    assert _standing("owner").permissions == set()


@pytest.mark.parametrize(
    ("acting", "target", "is_allowed"),
    [
        ("admin", "admin", True),
        ("admin", "guest", True),
        ("moderator", "member", True),
        ("moderator", "guest", True),
        ("moderator", "moderator", False),
        ("moderator", "admin", False),
        ("member", "member", False),
        ("member", "guest", True),  # the permission itself stands before this
        ("guest", "guest", False),
    ],
)
def test_az_7_nobody_acts_upwards_or_on_peers(acting, target, is_allowed):
    """AZ-7: only admins act on their own kind."""
    actor = _standing(acting)
    if is_allowed:
        actor.require_power_over(_standing(target))
    else:
        with pytest.raises(TargetOutranksError):
            actor.require_power_over(_standing(target))


def test_az_7_nobody_acts_on_themselves():
    """AZ-7: not even an admin."""
    admin = _standing("admin")
    with pytest.raises(OwnAccountError):
        admin.require_power_over(admin)


def test_az_7_a_full_custom_role_makes_no_admin():
    """AZ-7: all permissions without the base role give nobody the base role."""
    mighty = _standing("member", "all", custom=[_custom(*Permission, name="all")])
    with pytest.raises(TargetOutranksError):
        mighty.require_power_over(_standing("admin"))
    with pytest.raises(TargetOutranksError):
        mighty.require_power_over(_standing("moderator"))
    with pytest.raises(GrantTooHighError):
        mighty.require_cover(Role.ADMIN, ())
    with pytest.raises(GrantTooHighError):
        mighty.require_cover(Role.MODERATOR, ())
    mighty.require_cover(Role.MEMBER, Permission)


def test_az_7_no_grant_beyond_ones_own():
    """AZ-7: a moderator gives no permission that a moderator lacks."""
    moderator = _standing("moderator")
    with pytest.raises(GrantTooHighError):
        moderator.require_cover(Role.MEMBER, {Permission.READ_AUDIT})
    moderator.require_cover(Role.MODERATOR, PERMISSIONS[Role.MODERATOR])


@pytest.mark.parametrize(
    ("names", "rule"),
    [
        ([], "one_base_role"),
        (["support"], "one_base_role"),
        (["admin", "member"], "one_base_role"),
        (["member", "support", "support"], "named_twice"),
        (["member", *[f"team-{number}" for number in range(10)]], "too_many"),
    ],
)
def test_roles_of_a_user_are_one_base_role_and_custom_ones(names, rule):
    """What is no such set is refused with its rule."""
    with pytest.raises(RolesInvalidError) as caught:
        check_roles(names)
    assert caught.value.details == {"rule": rule}


def test_roles_are_stored_in_one_order():
    """The base role first, so that the same set is the same value."""
    assert check_roles(["z-team", "member", "a-team"]) == ("member", "a-team", "z-team")


@pytest.mark.parametrize(
    "name",
    ["admin", "guest", "ab", "A-team", "a" * 33, "a_b", "-ab", "ab-", "a\nb", ""],
)
def test_a_base_roles_name_or_a_wrong_one_is_refused(name):
    """A custom role cannot pass for one of the four."""
    with pytest.raises(RoleNameInvalidError):
        check_role_name(name)
    assert check_role_name("support") == "support"
