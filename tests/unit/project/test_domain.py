"""The rules of projects: names, permissions, last owner, succession."""

from datetime import UTC, datetime, timedelta

import pytest

from libs.kernel import ProjectId, UserId
from services.project.domain import (
    GRANTABLE,
    MANAGEABLE,
    PERMISSIONS,
    Action,
    Collaborator,
    LastOwnerError,
    NotPermittedError,
    Project,
    ProjectArchivedError,
    Role,
    TextInvalidError,
    choose_successor,
    clean_description,
    clean_name,
    ensure_may_add,
    ensure_may_change_role,
    ensure_may_remove,
    ensure_open,
    ensure_owner_remains,
    ensure_permitted,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OWNER, ADMIN, COLLABORATOR = Role.OWNER, Role.ADMIN, Role.COLLABORATOR


def place(name: str, role: Role, *, minutes: int = 0) -> Collaborator:
    """Return somebody's place in the one project."""
    user_id = UserId(name)
    added_at = NOW + timedelta(minutes=minutes)
    return Collaborator(ProjectId("p"), user_id, role, user_id, added_at)


def project(*, is_archived: bool = False) -> Project:
    """Return a project of one revision."""
    return Project(ProjectId("p"), "Apollo", "", 1, is_archived, NOW, NOW)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Apollo", "Apollo"),
        ("  Apollo 11 ", "Apollo 11"),
        ("x" * 80, "x" * 80),
        ("🚀" * 80, "🚀" * 80),
        ("Cafe\u0301", "Café"),
    ],
)
def test_a_name_is_trimmed_and_normalised(text: str, name: str) -> None:
    """NFC, without space around it, counted in code points."""
    assert clean_name(text) == name


@pytest.mark.parametrize(
    "text", ["", "   ", "x" * 81, "a\nb", "a\tb", "a\x00b", "a\x85b", "a\ud800b"]
)
def test_other_names_are_refused(text: str) -> None:
    """Empty, too long, several lines, controls, lone surrogates."""
    with pytest.raises(TextInvalidError) as caught:
        clean_name(text)
    assert caught.value.details == {"field": "name"}


def test_a_description_may_be_empty_and_have_lines() -> None:
    """Line feed and tab are text, other controls are not."""
    assert clean_description("  ") == ""
    assert clean_description("a\n\tb") == "a\n\tb"
    assert len(clean_description("é" * 2_000)) == 2_000


@pytest.mark.parametrize("text", ["x" * 2_001, "a\rb", "a\x1bb", "\udfff"])
def test_other_descriptions_are_refused(text: str) -> None:
    """Too long, or control characters."""
    with pytest.raises(TextInvalidError):
        clean_description(text)


def test_every_action_stands_in_the_permission_table() -> None:
    """A new action without a row would be refused to nobody."""
    assert set(PERMISSIONS) == set(Action)
    assert set(GRANTABLE) == set(MANAGEABLE) == set(Role)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("action", Action)
def test_the_table_decides(role: Role, action: Action) -> None:
    """What the table does not list is refused with the action's name."""
    if role in PERMISSIONS[action]:
        ensure_permitted(role, action)
        return
    with pytest.raises(NotPermittedError) as caught:
        ensure_permitted(role, action)
    assert caught.value.details == {"action": action.value}


def test_only_owners_delete_and_collaborators_only_look() -> None:
    """The two ends of the table, spelled out."""
    assert PERMISSIONS[Action.DELETE] == {OWNER}
    assert [a for a in Action if COLLABORATOR in PERMISSIONS[a]] == [Action.VIEW]


@pytest.mark.parametrize(
    ("actor", "role", "is_allowed"),
    [
        (OWNER, OWNER, True),
        (OWNER, ADMIN, True),
        (OWNER, COLLABORATOR, True),
        (ADMIN, OWNER, False),
        (ADMIN, ADMIN, True),
        (ADMIN, COLLABORATOR, True),
        (COLLABORATOR, OWNER, False),
        (COLLABORATOR, COLLABORATOR, False),
    ],
)
def test_nobody_grants_a_role_above_the_own(
    actor: Role, role: Role, *, is_allowed: bool
) -> None:
    """AZ-7: an admin makes no owners."""
    if is_allowed:
        ensure_may_add(actor, role)
        return
    with pytest.raises(NotPermittedError):
        ensure_may_add(actor, role)


@pytest.mark.parametrize(
    ("actor", "target", "is_allowed"),
    [
        (OWNER, OWNER, True),
        (OWNER, ADMIN, True),
        (ADMIN, COLLABORATOR, True),
        (ADMIN, ADMIN, False),
        (ADMIN, OWNER, False),
        (COLLABORATOR, COLLABORATOR, False),
    ],
)
def test_one_removes_those_below_only(
    actor: Role, target: Role, *, is_allowed: bool
) -> None:
    """Owners remove anybody, admins collaborators."""
    if is_allowed:
        ensure_may_remove(place("ann", actor), place("bob", target))
        return
    with pytest.raises(NotPermittedError):
        ensure_may_remove(place("ann", actor), place("bob", target))


@pytest.mark.parametrize("role", Role)
def test_anybody_may_leave(role: Role) -> None:
    """Leaving needs no permission."""
    ensure_may_remove(place("ann", role), place("ann", role))


@pytest.mark.parametrize(
    ("actor", "target", "role", "is_allowed"),
    [
        (place("ann", OWNER), place("bob", ADMIN), OWNER, True),
        (place("ann", OWNER), place("bob", OWNER), COLLABORATOR, True),
        (place("ann", ADMIN), place("bob", COLLABORATOR), ADMIN, True),
        (place("ann", ADMIN), place("bob", COLLABORATOR), OWNER, False),
        (place("ann", ADMIN), place("bob", OWNER), COLLABORATOR, False),
        (place("ann", ADMIN), place("bob", ADMIN), COLLABORATOR, False),
        (place("ann", ADMIN), place("ann", ADMIN), COLLABORATOR, True),
        (place("ann", ADMIN), place("ann", ADMIN), OWNER, False),
        (place("ann", COLLABORATOR), place("ann", COLLABORATOR), ADMIN, False),
    ],
)
def test_nobody_promotes_themselves_or_touches_who_is_above(
    actor: Collaborator, target: Collaborator, role: Role, *, is_allowed: bool
) -> None:
    """AZ-7: no self-promotion; stepping down is allowed."""
    if is_allowed:
        ensure_may_change_role(actor, target, role)
        return
    with pytest.raises(NotPermittedError):
        ensure_may_change_role(actor, target, role)


@pytest.mark.parametrize("new_role", [None, ADMIN, COLLABORATOR])
def test_the_last_owner_stays_one(new_role: Role | None) -> None:
    """AZ-7: no loss of the last owner, by leaving or by demotion."""
    with pytest.raises(LastOwnerError):
        ensure_owner_remains(place("ann", OWNER), 1, new_role=new_role)
    ensure_owner_remains(place("ann", OWNER), 2, new_role=new_role)


def test_others_come_and_go_whatever_the_owners() -> None:
    """The rule is about owners alone."""
    ensure_owner_remains(place("bob", ADMIN), 1, new_role=None)
    ensure_owner_remains(place("ann", OWNER), 1, new_role=OWNER)


def test_an_archived_project_takes_no_change() -> None:
    """Read-only means read-only."""
    ensure_open(project())
    with pytest.raises(ProjectArchivedError):
        ensure_open(project(is_archived=True))


def test_a_change_is_the_next_revision() -> None:
    """Revisions have no gap."""
    changed = project().advanced(NOW + timedelta(hours=1))
    assert (changed.revision, changed.updated_at) == (2, NOW + timedelta(hours=1))


def test_the_senior_collaborator_inherits() -> None:
    """Admins before collaborators, then who came first."""
    late, early = place("bob", ADMIN, minutes=9), place("cat", ADMIN, minutes=5)
    first = place("dan", COLLABORATOR)
    assert choose_successor([first, late, early]) == early
    assert choose_successor([first]) == first
    assert choose_successor([]) is None
