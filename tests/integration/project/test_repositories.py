"""One contract, held by the in-memory adapters and by MongoDB."""

from datetime import UTC, datetime, timedelta

import pytest

from libs.crypto import DecryptError, FieldSealer, KeyRing
from libs.kernel import ProjectId, UserId, new_id
from services.project.domain import (
    Collaborator,
    Project,
    RevisionConflictError,
    Role,
)
from services.project.repository import (
    MemoryProjectRepository,
    MemoryUserDirectory,
    MongoProjectRepository,
    MongoUserDirectory,
)

pytestmark = pytest.mark.integration
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(params=["memory", "mongo"])
def repository(request):
    """Each implementation in turn."""
    if request.param == "memory":
        return MemoryProjectRepository()
    database = request.getfixturevalue("database")
    return MongoProjectRepository(database, FieldSealer(KeyRing.generate()))


@pytest.fixture(params=["memory", "mongo"])
def directory(request):
    """Each implementation in turn."""
    if request.param == "memory":
        return MemoryUserDirectory()
    return MongoUserDirectory(request.getfixturevalue("database"))


def new_project(name: str = "Apollo") -> tuple[Project, Collaborator]:
    """Return a project and its owner."""
    project_id, owner = ProjectId(new_id()), UserId(new_id())
    project = Project(
        project_id=project_id,
        name=name,
        description="To the moon.",
        revision=1,
        is_archived=False,
        created_at=NOW,
        updated_at=NOW,
    )
    return project, Collaborator(project_id, owner, Role.OWNER, owner, NOW)


async def test_a_project_comes_back_as_it_was_stored(repository) -> None:
    """Times, text and owner survive the round trip."""
    project, owner = new_project("Café 🚀")
    await repository.add(project, owner, None)
    assert await repository.find(project.project_id) == project
    found = await repository.find_collaborator(project.project_id, owner.user_id)
    assert found == owner
    assert await repository.find(ProjectId(new_id())) is None
    assert await repository.find_collaborator(project.project_id, UserId("x")) is None


async def test_save_takes_exactly_the_next_revision(repository) -> None:
    """Compare and set: of two changes of one revision, one wins."""
    project, owner = new_project()
    await repository.add(project, owner, None)
    changed = project.advanced(NOW + timedelta(seconds=1))
    await repository.save(changed, None)
    with pytest.raises(RevisionConflictError):
        await repository.save(changed, None)
    with pytest.raises(RevisionConflictError):
        await repository.remove(project, None)
    assert await repository.find(project.project_id) == changed


async def test_remove_takes_the_collaborators_along(repository) -> None:
    """Nothing of an erased project is left."""
    project, owner = new_project()
    await repository.add(project, owner, None)
    await repository.remove(project, None)
    assert await repository.find(project.project_id) is None
    assert await repository.list_projects_of(owner.user_id, limit=9) == []
    with pytest.raises(RevisionConflictError):
        await repository.save(project.advanced(NOW), None)


async def test_collaborators_are_put_counted_listed_and_removed(repository) -> None:
    """Putting twice changes the role; removing twice is no error."""
    project, owner = new_project()
    project_id = project.project_id
    await repository.add(project, owner, None)
    users = sorted(UserId(new_id()) for _ in range(3))
    for user in users:
        place = Collaborator(project_id, user, Role.COLLABORATOR, owner.user_id, NOW)
        await repository.put_collaborator(place, None)
    second = Collaborator(project_id, users[0], Role.OWNER, owner.user_id, NOW)
    await repository.put_collaborator(second, None)
    assert await repository.count_owners(project_id, None) == 2
    assert await repository.find_collaborator(project_id, users[0]) == second
    listed = await repository.list_collaborators(project_id, after=None, limit=9)
    assert [p.user_id for p in listed] == sorted([owner.user_id, *users])
    page = await repository.list_collaborators(project_id, after=users[0], limit=1)
    assert [p.user_id for p in page] == [users[1]]
    for _ in range(2):
        await repository.remove_collaborator(project_id, users[0], None)
    assert await repository.count_owners(project_id, None) == 1


async def test_memberships_are_listed_newest_first(repository) -> None:
    """Ids sort by time; a page goes on before its last id."""
    user = UserId(new_id())
    ids = []
    for _ in range(4):
        project, owner = new_project()
        await repository.add(project, owner, None)
        place = Collaborator(project.project_id, user, Role.ADMIN, owner.user_id, NOW)
        await repository.put_collaborator(place, None)
        ids.append(project.project_id)
    first = await repository.list_memberships(user, before=None, limit=2)
    assert [m.project.project_id for m in first] == [ids[3], ids[2]]
    assert {m.role for m in first} == {Role.ADMIN}
    rest = await repository.list_memberships(user, before=ids[2], limit=9)
    assert [m.project.project_id for m in rest] == [ids[1], ids[0]]
    assert sorted(await repository.list_projects_of(user, limit=9)) == ids
    assert len(await repository.list_projects_of(user, limit=3)) == 3


async def test_facts_of_users_commute(directory) -> None:
    """Verified, suspended, deleted: any order, the same outcome."""
    user = UserId(new_id())
    assert not await directory.is_active(user)
    await directory.suspend(user, 5, None, is_suspended=False)
    await directory.suspend(user, 4, None, is_suspended=True)
    assert not await directory.is_active(user)
    for _ in range(2):
        await directory.verify(user, None)
    assert await directory.is_active(user)
    await directory.suspend(user, 6, None, is_suspended=True)
    assert not await directory.is_active(user)
    await directory.suspend(user, 7, None, is_suspended=False)
    assert await directory.is_active(user)
    await directory.delete(user, None)
    await directory.verify(user, None)
    assert not await directory.is_active(user)


async def test_names_are_ciphertext_and_bound_to_their_place(database) -> None:
    """CR-6, CR-2: no clear text in the database, and a moved field does not open."""
    repository = MongoProjectRepository(database, FieldSealer(KeyRing.generate()))
    (one, owner), (two, other) = new_project("Secret One"), new_project("Secret Two")
    await repository.add(one, owner, None)
    await repository.add(two, other, None)
    stored = await database["projects"].find_one({"_id": one.project_id})
    assert b"Secret" not in bytes(stored["name"]["c"])
    assert "Secret" not in str(stored)
    await database["projects"].update_one(
        {"_id": two.project_id}, {"$set": {"name": stored["name"]}}
    )
    with pytest.raises(DecryptError):
        await repository.find(two.project_id)
    await database["projects"].update_one(
        {"_id": one.project_id}, {"$set": {"description": stored["name"]}}
    )
    with pytest.raises(DecryptError):
        await repository.find(one.project_id)


async def test_a_rolled_back_change_leaves_nothing(database) -> None:
    """Every write of the repository takes part in the session's transaction."""
    repository = MongoProjectRepository(database, FieldSealer(KeyRing.generate()))
    project, owner = new_project()
    async with database.client.start_session() as session:
        await session.start_transaction()
        await repository.add(project, owner, session)
        await repository.save(project.advanced(NOW), session)
        assert await repository.find(project.project_id, session) is not None
        await session.abort_transaction()
    assert await repository.find(project.project_id) is None
    assert await repository.list_projects_of(owner.user_id, limit=9) == []
