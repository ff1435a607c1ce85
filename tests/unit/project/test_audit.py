"""What project records of each act, and what it never does."""

import pytest

from services.project.domain import Role
from tests.unit.project.conftest import Rig

MARKER = "Manhattan"


async def test_au_2_every_act_is_recorded_and_no_text(rig: Rig) -> None:
    """AU-2: who did what to whom; names and descriptions are in no record."""
    owner, other = await rig.user(), await rig.user()
    made = await rig.projects.create_project(owner, MARKER, MARKER)
    place = made.project.project_id
    await rig.projects.update_project(owner, place, name=f"{MARKER} 2", description="")
    await rig.collaborators.add_collaborator(owner, place, other, Role.COLLABORATOR)
    await rig.collaborators.change_role(owner, place, other, Role.ADMIN)
    await rig.collaborators.remove_collaborator(owner, place, other)
    await rig.projects.archive_project(owner, place, is_archived=True)
    await rig.projects.archive_project(owner, place, is_archived=False)
    await rig.projects.delete_project(owner, place)
    assert [(entry.action, entry.target_id) for entry in rig.audit.entries] == [
        ("project.created", place),
        ("project.updated", place),
        ("project.collaborator_added", other),
        ("project.role_changed", other),
        ("project.collaborator_removed", other),
        ("project.archived", place),
        ("project.restored", place),
        ("project.deleted", place),
    ]
    assert {entry.actor_id for entry in rig.audit.entries} == {owner}
    assert {entry.details["project_id"] for entry in rig.audit.entries} == {place}
    (change,) = rig.audit.of("project.role_changed")
    assert change.details["role_before"] == "collaborator"
    assert MARKER not in repr(rig.audit.entries)


@pytest.mark.parametrize("is_archived", [True, False])
async def test_what_changes_nothing_is_not_recorded(rig: Rig, is_archived) -> None:
    """A record is of an effect."""
    place, (owner, other) = await rig.project_with(Role.ADMIN)
    await rig.projects.archive_project(owner, place, is_archived=is_archived)
    rig.audit.entries.clear()
    await rig.projects.archive_project(owner, place, is_archived=is_archived)
    if not is_archived:
        await rig.projects.update_project(owner, place, name="Apollo", description=None)
        await rig.collaborators.change_role(owner, place, other, Role.ADMIN)
    assert rig.audit.entries == []


async def test_an_heir_is_recorded(rig: Rig) -> None:
    """Who owns a project after its owner's account is gone is in the record."""
    place, (owner, heir) = await rig.project_with(Role.ADMIN)
    rig.audit.entries.clear()
    async with rig.bus.transaction() as tx:
        await rig.collaborators.erase_user(tx, owner)
    role, removal = rig.audit.entries
    assert (role.target_id, role.details["role"]) == (heir, "owner")
    assert (removal.action, removal.target_id) == (
        "project.collaborator_removed",
        owner,
    )
    assert role.details["project_id"] == place
