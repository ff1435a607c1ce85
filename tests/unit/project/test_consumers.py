"""What project learns of users: in any order, twice, and at the end."""

import asyncio

import pytest

from libs.crypto import FieldSealer, KeyRing
from libs.events import Event
from libs.events.catalog import (
    ErasureCompleted,
    ProjectCollaboratorRemoved,
    ProjectDeleted,
    ProjectRoleChanged,
    UserCreated,
    UserDeleted,
    UserSuspended,
    UserVerified,
)
from libs.kernel import UserId, new_id
from services.project.consumers import worker
from services.project.domain import ProjectNotFoundError, Role

_sealer = FieldSealer(KeyRing.generate())


def verified(user_id: str, revision: int = 2) -> UserVerified:
    """Return the event that makes a user active."""
    return UserVerified(
        user_id=user_id,
        revision=revision,
        display_name="Ann",
        locale="en",
        email=_sealer.seal("ann@example.org", "test"),
    )


async def deliver(rig, *events: Event) -> None:
    """Publish events and wait until they are handled."""
    async with rig.bus.run_worker(worker, rig.collaborators):
        for event in events:
            async with rig.bus.transaction() as tx:
                tx.publish(event)
        for _ in range(50):
            await asyncio.sleep(0)


async def test_a_verified_user_is_active(rig) -> None:
    """Before the event the user does not exist; twice is as once."""
    user = UserId(new_id())
    assert not await rig.users.is_active(user)
    await deliver(rig, verified(user), verified(user))
    assert await rig.users.is_active(user)


async def test_a_bot_is_active_from_the_beginning(rig) -> None:
    """It verifies nothing; a person who registers does."""
    bot, person = UserId(new_id()), UserId(new_id())
    for user, is_bot in ((bot, True), (person, False)):
        born = UserCreated(
            user_id=user,
            revision=1,
            display_name="B",
            locale="en",
            roles=("member",),
            is_bot=is_bot,
        )
        await deliver(rig, born)
    assert await rig.users.is_active(bot)
    assert not await rig.users.is_active(person)


async def test_the_newest_suspension_counts_in_any_order(rig) -> None:
    """A suspension that arrives late does not undo its own end, nor the reverse."""
    user = UserId(new_id())
    await deliver(
        rig,
        UserSuspended(user_id=user, revision=4, is_suspended=False),
        UserSuspended(user_id=user, revision=3, is_suspended=True),
        verified(user),
    )
    assert await rig.users.is_active(user)
    await deliver(rig, UserSuspended(user_id=user, revision=5, is_suspended=True))
    assert not await rig.users.is_active(user)


async def test_a_deleted_user_never_comes_back(rig) -> None:
    """Deletion wins over a verification that arrives later."""
    user = UserId(new_id())
    await deliver(rig, UserDeleted(user_id=user, revision=3), verified(user))
    assert not await rig.users.is_active(user)


async def test_a_deleted_user_leaves_every_project(rig) -> None:
    """Each project says who left; auth hears that this part is done."""
    project_id, [owner, bob] = await rig.project_with(Role.COLLABORATOR)
    other_id, _ = await rig.project_with()
    await deliver(rig, UserDeleted(user_id=bob, revision=3))
    removed, done = [
        event
        for event in rig.bus.published
        if isinstance(event, ProjectCollaboratorRemoved | ErasureCompleted)
    ]
    assert (removed.project_id, removed.user_id) == (project_id, bob)
    assert done == ErasureCompleted(user_id=bob, service="project", erased_count=1)
    places = await rig.collaborators.list_collaborators(
        owner, project_id, after=None, limit=9
    )
    assert [place.user_id for place in places] == [owner]
    assert other_id != project_id


async def test_the_project_of_a_deleted_last_owner_passes_on(rig) -> None:
    """The senior admin becomes owner before the owner leaves: revisions 4 and 5."""
    project_id, [owner, _, admin] = await rig.project_with(
        Role.COLLABORATOR, Role.ADMIN
    )
    await deliver(rig, UserDeleted(user_id=owner, revision=3))
    role, removed = [
        event
        for event in rig.bus.published
        if isinstance(event, ProjectRoleChanged | ProjectCollaboratorRemoved)
    ]
    assert (role.user_id, role.role, role.revision) == (admin, "owner", 4)
    assert (removed.user_id, removed.revision) == (owner, 5)
    membership = await rig.projects.get_project(admin, project_id)
    assert (membership.role, membership.project.revision) == (Role.OWNER, 5)


async def test_a_project_that_has_nobody_left_ends(rig) -> None:
    """A project with its owner alone is erased with the account."""
    project_id, [owner] = await rig.project_with()
    await deliver(rig, UserDeleted(user_id=owner, revision=3))
    [deleted] = [e for e in rig.bus.published if isinstance(e, ProjectDeleted)]
    assert deleted.project_id == project_id
    with pytest.raises(ProjectNotFoundError):
        await rig.projects.get_project(owner, project_id)
