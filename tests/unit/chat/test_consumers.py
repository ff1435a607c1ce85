"""What chat learns from other services, in any order and more than once."""

import itertools
from types import SimpleNamespace

import msgspec
import pytest

from libs.events.catalog import (
    ConversationArchived,
    ConversationCreated,
    ConversationDeleted,
    ProjectArchived,
    ProjectCollaboratorAdded,
    ProjectCollaboratorRemoved,
    ProjectCreated,
    ProjectDeleted,
    ProjectRoleChanged,
    UserCreated,
    UserDeleted,
    UserSuspended,
    UserUpdated,
    UserVerified,
)
from libs.kernel import new_id
from services.chat.consumers import worker
from services.chat.domain.conversation import Role, general_id
from services.chat.service.directory import Directory
from services.chat.service.projects import ProjectChannels
from tests.unit.chat.support import ADA, GRACE, Chat

PROJECT = new_id()
GENERAL = general_id(PROJECT)


@pytest.fixture
async def chat():
    """A chat whose worker runs."""
    chat = Chat()
    channels = ProjectChannels(
        chat.bus,
        chat.store,
        chat.jobs_store,
        changes=chat.changes,
        announcements=chat.announcements,
        removals=chat.removals,
        clock=chat.clock,
    )
    app = SimpleNamespace(
        directory=Directory(chat.users), channels=channels, erasure=chat.erasure
    )
    durable = type(worker)("chat", emits=worker.emits)
    durable.subscriptions = worker.subscriptions
    async with chat.bus.run_worker(durable, app):
        yield chat


async def publish(chat: Chat, *events) -> None:
    """Publish events one after the other and wait until they are handled."""
    for event in events:
        async with chat.bus.transaction() as transaction:
            transaction.publish(event)
        await chat.bus.settled()


def sealed(chat: Chat):
    """Return something sealed."""
    return chat.sealer.seal("x", "y")


def created(chat: Chat, revision: int = 1) -> ProjectCreated:
    """Ada opened the project."""
    return ProjectCreated(
        project_id=PROJECT, revision=revision, owner_id=ADA, name=sealed(chat)
    )


def added(revision: int) -> ProjectCollaboratorAdded:
    """Grace joined the project."""
    return ProjectCollaboratorAdded(
        project_id=PROJECT,
        revision=revision,
        user_id=GRACE,
        role="collaborator",
        added_by=ADA,
    )


def removed(revision: int) -> ProjectCollaboratorRemoved:
    """Grace left the project."""
    return ProjectCollaboratorRemoved(
        project_id=PROJECT, revision=revision, user_id=GRACE, removed_by=ADA
    )


def promoted(revision: int) -> ProjectRoleChanged:
    """Grace became admin of the project."""
    return ProjectRoleChanged(
        project_id=PROJECT,
        revision=revision,
        user_id=GRACE,
        role="admin",
        changed_by=ADA,
    )


async def test_a_project_gets_its_channel_once(chat) -> None:
    """The same event twice opens one channel with one owner."""
    await publish(chat, created(chat), created(chat))
    general = await chat.store.get(GENERAL)
    assert (general.title, general.is_managed, general.project_id) == (
        "general",
        True,
        PROJECT,
    )
    assert (await chat.store.get_member(GENERAL, ADA)).role is Role.OWNER
    assert len(chat.bus.published_of(ConversationCreated)) == 1


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
async def test_any_order_ends_the_same(chat, order) -> None:
    """Each membership follows the newest fact about it."""
    story = [created(chat), added(2), removed(3), added(4)]
    await publish(chat, *(story[index] for index in order))
    grace = await chat.store.get_member(GENERAL, GRACE)
    assert (grace.is_active, grace.project_revision) == (True, 4)
    assert (await chat.store.get_member(GENERAL, ADA)).role is Role.OWNER
    general = await chat.store.get(GENERAL)
    assert general.revision == len(chat.bus.published_of(ConversationCreated)) + (
        general.members_version - 1
    )


async def test_a_removal_that_comes_first_wins(chat) -> None:
    """A tombstone keeps an older "added" from undoing it."""
    await publish(chat, created(chat), removed(3), added(2))
    assert not (await chat.store.get_member(GENERAL, GRACE)).is_active


async def test_roles_follow_the_project(chat) -> None:
    """Another role keeps read marker and time of joining."""
    await publish(chat, created(chat), added(2), promoted(3), added(2))
    grace = await chat.store.get_member(GENERAL, GRACE)
    assert (grace.role, grace.is_active) == (Role.ADMIN, True)


async def test_an_archived_project_archives_its_channel(chat) -> None:
    """The newest fact counts."""
    archived = ProjectArchived(
        project_id=PROJECT, revision=5, is_archived=True, archived_by=ADA
    )
    back = ProjectArchived(
        project_id=PROJECT, revision=4, is_archived=False, archived_by=ADA
    )
    await publish(chat, created(chat), archived, back)
    assert (await chat.store.get(GENERAL)).is_archived
    assert len(chat.bus.published_of(ConversationArchived)) == 1


@pytest.mark.parametrize("is_known", [True, False])
async def test_a_deleted_project_deletes_its_channel(chat, is_known) -> None:
    """For good: whatever is told of the project later, or again, changes nothing."""
    gone = ProjectDeleted(project_id=PROJECT, revision=6, deleted_by=ADA)
    await publish(chat, *([created(chat), added(2)] if is_known else []), gone, gone)
    while await chat.jobs.run_one():
        pass
    back = ProjectArchived(
        project_id=PROJECT, revision=5, is_archived=False, archived_by=ADA
    )
    await publish(chat, created(chat), added(2), promoted(3), removed(4), back, gone)
    for one in worker.subscriptions:
        assert not chat.bus.dead_letters("chat", one.name)
    assert await chat.store.get(GENERAL) is None
    assert not await chat.store.members_among(GENERAL, [ADA, GRACE])
    (deleted,) = chat.bus.published_of(ConversationDeleted)
    assert (deleted.conversation_id, deleted.deleted_by) == (GENERAL, None)


STORY = [
    UserCreated(user_id=ADA, revision=1, display_name="A", locale="en", roles=()),
    "verified",
    UserUpdated(
        user_id=ADA,
        revision=3,
        display_name="Ada",
        handle="ada",
        locale="en",
        time_zone="UTC",
        status_text="",
        avatar_document_id=None,
        roles=(),
    ),
    UserSuspended(user_id=ADA, revision=4, is_suspended=True),
    UserSuspended(user_id=ADA, revision=5, is_suspended=False),
]


@pytest.mark.parametrize("order", list(itertools.permutations(range(5)))[::7])
async def test_users_end_the_same_in_any_order(chat, order) -> None:
    """Verification holds, the newest profile and suspension win."""
    chat.users.users.clear()
    verified = UserVerified(
        user_id=ADA, revision=2, display_name="A", locale="en", email=sealed(chat)
    )
    story = [verified if event == "verified" else event for event in STORY]
    await publish(chat, *(story[index] for index in order))
    ada = chat.users.users[ADA]
    assert (ada.display_name, ada.is_active, ada.suspension_revision) == (
        "Ada",
        True,
        5,
    )
    await publish(chat, UserDeleted(user_id=ADA, revision=6), story[2])
    assert not chat.users.users[ADA].is_active


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_a_bot_is_active_from_the_beginning(chat, order) -> None:
    """It has nothing to verify, in whatever order it is told of."""
    bot = new_id()
    profile = msgspec.structs.replace(
        STORY[2], user_id=bot, revision=2, handle="builder", is_bot=True
    )
    born = UserCreated(
        user_id=bot, revision=1, display_name="B", locale="en", roles=(), is_bot=True
    )
    story = [born, profile]
    await publish(chat, *(story[index] for index in order))
    known = await chat.users.get(bot)
    assert (known.is_bot, known.is_active, known.handle) == (True, True, "builder")


async def test_a_deleted_user_is_erased(chat) -> None:
    """The job is asked for in the event's commit; name and handle go at once."""
    group = await chat.group(GRACE)
    await publish(chat, UserDeleted(user_id=GRACE, revision=9))
    assert await chat.jobs.run_one()
    assert not await chat.store.members_among(group, [GRACE])
    known = await chat.users.get(GRACE)
    assert (known.display_name, known.handle, known.is_active) == ("", None, False)
