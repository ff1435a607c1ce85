"""Use cases: every change emits its event with the next revision, or nothing."""

import pytest

from libs.events.catalog import (
    ProjectArchived,
    ProjectCollaboratorAdded,
    ProjectCollaboratorRemoved,
    ProjectCreated,
    ProjectDeleted,
    ProjectRoleChanged,
    ProjectUpdated,
)
from libs.kernel import AppError, ProjectId, UserId, new_id
from services.project.domain import (
    CollaboratorExistsError,
    CollaboratorNotFoundError,
    LastOwnerError,
    NotPermittedError,
    ProjectArchivedError,
    ProjectNotFoundError,
    Role,
    TextInvalidError,
    UserNotFoundError,
)


async def test_a_new_project_has_its_owner_and_one_event(rig) -> None:
    """project.created is revision 1 and carries the owner and the sealed name."""
    owner = UserId(new_id())
    membership = await rig.projects.create_project(owner, " Apollo ", "To the moon.")
    assert membership.role is Role.OWNER
    assert membership.project.name == "Apollo"
    [event] = rig.bus.published
    assert isinstance(event, ProjectCreated)
    assert (event.revision, event.owner_id) == (1, owner)
    assert b"Apollo" not in event.name.ciphertext


async def test_a_wrong_name_leaves_no_trace(rig) -> None:
    """Nothing is stored, nothing is emitted."""
    owner = UserId(new_id())
    with pytest.raises(TextInvalidError):
        await rig.projects.create_project(owner, "\n", "")
    assert rig.bus.published == []
    assert await rig.projects.list_projects(owner, before=None, limit=9) == []


async def test_an_update_changes_what_is_given(rig) -> None:
    """None leaves a field; a change that changes nothing emits nothing."""
    project_id, [owner] = await rig.project_with()
    updated = await rig.projects.update_project(
        owner, project_id, name=None, description="To the moon."
    )
    assert (updated.project.name, updated.project.revision) == ("Apollo", 2)
    again = await rig.projects.update_project(
        owner, project_id, name="Apollo", description="To the moon."
    )
    assert again.project.revision == 2
    [event] = rig.bus.published
    assert isinstance(event, ProjectUpdated)
    assert (event.revision, event.updated_by) == (2, owner)


async def test_archiving_is_idempotent_and_makes_read_only(rig) -> None:
    """AZ-6: archived: no update, no newcomer, no new role; leaving goes on."""
    project_id, [owner, bob] = await rig.project_with(Role.COLLABORATOR)
    for _ in range(2):
        await rig.projects.archive_project(owner, project_id, is_archived=True)
    [event] = rig.bus.published
    assert isinstance(event, ProjectArchived)
    assert event.is_archived
    attempts = [
        rig.projects.update_project(owner, project_id, name="X", description=None),
        rig.collaborators.add_collaborator(
            owner, project_id, await rig.user(), Role.ADMIN
        ),
        rig.collaborators.change_role(owner, project_id, bob, Role.ADMIN),
    ]
    for attempt in attempts:
        with pytest.raises(ProjectArchivedError):
            await attempt
    await rig.collaborators.remove_collaborator(bob, project_id, bob)
    back = await rig.projects.archive_project(owner, project_id, is_archived=False)
    assert not back.project.is_archived


async def test_a_deleted_project_is_gone_for_everybody(rig) -> None:
    """project.deleted is the last revision."""
    project_id, [owner, bob] = await rig.project_with(Role.ADMIN)
    with pytest.raises(NotPermittedError):
        await rig.projects.delete_project(bob, project_id)
    await rig.projects.delete_project(owner, project_id)
    [event] = rig.bus.published
    assert isinstance(event, ProjectDeleted)
    assert (event.revision, event.deleted_by) == (3, owner)
    for user in (owner, bob):
        with pytest.raises(ProjectNotFoundError):
            await rig.projects.get_project(user, project_id)


async def test_who_is_not_in_it_finds_no_project(rig) -> None:
    """AZ-2: a foreign project answers exactly like a missing one, on every use case."""
    project_id, [owner] = await rig.project_with()
    stranger = await rig.user()
    for target in (project_id, ProjectId(new_id())):
        attempts = [
            rig.projects.get_project(stranger, target),
            rig.projects.update_project(stranger, target, name="X", description=None),
            rig.projects.archive_project(stranger, target, is_archived=True),
            rig.projects.delete_project(stranger, target),
            rig.collaborators.list_collaborators(stranger, target, after=None, limit=9),
            rig.collaborators.add_collaborator(stranger, target, stranger, Role.OWNER),
            rig.collaborators.change_role(stranger, target, owner, Role.ADMIN),
            rig.collaborators.remove_collaborator(stranger, target, owner),
        ]
        for attempt in attempts:
            with pytest.raises(ProjectNotFoundError):
                await attempt
    assert rig.bus.published == []


async def test_a_collaborator_comes_in_with_a_role(rig) -> None:
    """project.collaborator_added carries role and revision; twice is a conflict."""
    project_id, [owner] = await rig.project_with()
    bob = await rig.user()
    added = await rig.collaborators.add_collaborator(owner, project_id, bob, Role.ADMIN)
    assert (added.role, added.added_by) == (Role.ADMIN, owner)
    [event] = rig.bus.published
    assert isinstance(event, ProjectCollaboratorAdded)
    assert (event.revision, event.user_id, event.role) == (2, bob, "admin")
    with pytest.raises(CollaboratorExistsError):
        await rig.collaborators.add_collaborator(owner, project_id, bob, Role.ADMIN)


async def test_only_active_users_come_in(rig) -> None:
    """Unknown, suspended and deleted users are all the same: not found."""
    project_id, [owner] = await rig.project_with()
    unknown, suspended = UserId(new_id()), await rig.user()
    deleted = await rig.user()
    await rig.users.suspend(suspended, 3, None, is_suspended=True)
    await rig.users.delete(deleted, None)
    for user in (unknown, suspended, deleted):
        with pytest.raises(UserNotFoundError):
            await rig.collaborators.add_collaborator(
                owner, project_id, user, Role.COLLABORATOR
            )


async def test_roles_change_and_the_last_owner_stays(rig) -> None:
    """project.role_changed; the last owner neither leaves nor steps down."""
    project_id, [owner, bob] = await rig.project_with(Role.COLLABORATOR)
    for attempt in (
        rig.collaborators.change_role(owner, project_id, owner, Role.ADMIN),
        rig.collaborators.remove_collaborator(owner, project_id, owner),
    ):
        with pytest.raises(LastOwnerError):
            await attempt
    assert rig.bus.published == []
    for _ in range(2):
        await rig.collaborators.change_role(owner, project_id, bob, Role.OWNER)
    [event] = rig.bus.published
    assert isinstance(event, ProjectRoleChanged)
    assert (event.revision, event.role) == (3, "owner")
    await rig.collaborators.remove_collaborator(owner, project_id, owner)
    membership = await rig.projects.get_project(bob, project_id)
    assert membership.role is Role.OWNER


async def test_a_removed_collaborator_sees_nothing_more(rig) -> None:
    """project.collaborator_removed, and 404 from then on."""
    project_id, [owner, bob] = await rig.project_with(Role.COLLABORATOR)
    await rig.collaborators.remove_collaborator(owner, project_id, bob)
    [event] = rig.bus.published
    assert isinstance(event, ProjectCollaboratorRemoved)
    assert (event.user_id, event.removed_by) == (bob, owner)
    with pytest.raises(ProjectNotFoundError):
        await rig.projects.get_project(bob, project_id)
    with pytest.raises(CollaboratorNotFoundError):
        await rig.collaborators.remove_collaborator(owner, project_id, bob)


async def test_lists_are_pages_in_order(rig) -> None:
    """Projects newest first, collaborators by id; both go on from a position."""
    owner = await rig.user()
    ids = [
        (await rig.projects.create_project(owner, f"P{n}", "")).project.project_id
        for n in range(5)
    ]
    first = await rig.projects.list_projects(owner, before=None, limit=2)
    assert [m.project.project_id for m in first] == [ids[4], ids[3]]
    rest = await rig.projects.list_projects(owner, before=ids[3], limit=9)
    assert [m.project.project_id for m in rest] == [ids[2], ids[1], ids[0]]
    for _ in range(3):
        await rig.collaborators.add_collaborator(
            owner, ids[0], await rig.user(), Role.COLLABORATOR
        )
    listed = await rig.collaborators.list_collaborators(
        owner, ids[0], after=None, limit=9
    )
    users = [place.user_id for place in listed]
    assert users == sorted(users)
    after = await rig.collaborators.list_collaborators(
        owner, ids[0], after=users[1], limit=1
    )
    assert [place.user_id for place in after] == [users[2]]


async def test_revisions_of_a_project_have_no_gap(rig) -> None:
    """Whatever happens to a project, its events count 1, 2, 3."""
    owner, bob, cat = [await rig.user() for _ in range(3)]
    created = await rig.projects.create_project(owner, "Apollo", "")
    project_id = created.project.project_id
    await rig.collaborators.add_collaborator(owner, project_id, bob, Role.ADMIN)
    await rig.collaborators.add_collaborator(bob, project_id, cat, Role.COLLABORATOR)
    for attempt in (
        rig.collaborators.change_role(cat, project_id, cat, Role.ADMIN),
        rig.collaborators.remove_collaborator(cat, project_id, bob),
    ):
        with pytest.raises(AppError):
            await attempt
    await rig.projects.update_project(bob, project_id, name="Soyuz", description=None)
    await rig.collaborators.remove_collaborator(cat, project_id, cat)
    await rig.projects.archive_project(bob, project_id, is_archived=True)
    await rig.projects.delete_project(owner, project_id)
    assert [event.revision for event in rig.bus.published] == [1, 2, 3, 4, 5, 6, 7]
