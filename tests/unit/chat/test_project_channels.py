"""Channels of a project beside general: who leaves the project leaves them."""

from datetime import timedelta

import pytest

from libs.events.catalog import (
    ConversationArchived,
    ConversationDeleted,
    ConversationMemberRemoved,
    ConversationRoleChanged,
)
from libs.kernel import ProjectId, UnavailableError, new_id
from services.chat.domain.amendment import Amendment
from services.chat.domain.conversation import ConversationKind, Role, general_id
from services.chat.domain.errors import (
    ConversationIsArchivedError,
    ConversationNotFoundError,
    ProjectIsArchivedError,
    ProjectNotFoundError,
    UserNotFoundError,
)
from services.chat.service.openings import Opening
from services.chat.service.projects import ProjectChannels
from tests.unit.chat.support import ADA, GRACE, MALLORY, Chat, draft

PROJECT = ProjectId(new_id())


class Story:
    """A project of Ada and Grace, told by its events."""

    def __init__(self, chat: Chat) -> None:
        self.chat = chat
        self.channels = ProjectChannels(
            chat.bus,
            chat.store,
            chat.jobs_store,
            changes=chat.changes,
            announcements=chat.announcements,
            clock=chat.clock,
            removals=chat.removals,
        )

    async def put(self, user_id, revision: int, role: str = "collaborator") -> None:
        """Somebody joins the project."""
        async with self.chat.bus.transaction() as transaction:
            await self.channels.put_collaborator(
                transaction, PROJECT, user_id, role=role, revision=revision
            )

    async def open(self, *members, by=ADA, title: str = "dev"):
        """Open a channel of the project; return its id."""
        opening = Opening(
            kind=ConversationKind.CHANNEL,
            title=title,
            member_ids=members,
            project_id=PROJECT,
        )
        opened, _ = await self.chat.openings.open(by, opening)
        return opened.conversation.conversation_id


@pytest.fixture
async def story():
    """Ada's project with Grace as collaborator; Mallory has no part in it."""
    chat = Chat()
    story = Story(chat)
    await story.put(ADA, 1, "owner")
    await story.put(GRACE, 2)
    async with chat.writer.running():
        yield story


async def test_only_collaborators_come_into_a_projects_channel(story) -> None:
    """Neither opening nor adding brings in somebody else."""
    with pytest.raises(UserNotFoundError):
        await story.open(GRACE, MALLORY)
    with pytest.raises(ProjectNotFoundError):
        await story.open(by=MALLORY)
    channel = await story.open(GRACE)
    with pytest.raises(UserNotFoundError):
        await story.chat.members.add(ADA, channel, MALLORY, Role.MEMBER)
    await story.put(MALLORY, 3)
    await story.chat.members.add(ADA, channel, MALLORY, Role.MEMBER)
    general = await story.chat.store.get(general_id(PROJECT))
    assert general.revision == 4  # created, three members: holding it is no change


async def test_who_leaves_the_project_leaves_all_its_channels(story) -> None:
    """Each channel has its own revision and event; repeating changes nothing."""
    chat = story.chat
    channels = [await story.open(GRACE, title=f"{n}") for n in range(3)]
    other = await chat.group(GRACE)
    await chat.writer.submit(draft(channels[0], GRACE))
    for _ in range(2):
        await story.channels.remove_collaborator(PROJECT, GRACE, revision=3)
    for channel in channels:
        with pytest.raises(ConversationNotFoundError):
            await chat.conversations.get(GRACE, channel)
        with pytest.raises(ConversationNotFoundError):
            await chat.writer.submit(draft(channel, GRACE))
    assert sorted(chat.removals_told) == sorted(
        [(channels[0], GRACE, 3), (channels[1], GRACE, 2), (channels[2], GRACE, 2)]
    )
    removed = chat.bus.published_of(ConversationMemberRemoved)
    assert {event.conversation_id: event.revision for event in removed} == {
        general_id(PROJECT): 4,
        channels[0]: 3,
        channels[1]: 2,
        channels[2]: 2,
    }
    assert (await chat.conversations.get(GRACE, other)).member.is_active


async def test_a_removal_that_broke_off_goes_on(story, monkeypatch) -> None:
    """Repeating the event takes out whoever is still in."""
    monkeypatch.setattr("services.chat.service.projects._PAGE", 1)
    channels = [await story.open(GRACE, title=f"{n}") for n in range(2)]
    store = story.chat.store
    page, left = store.of_project, [2]

    async def breaking(project_id, **more):
        left[0] -= 1
        if left[0] < 0:
            raise UnavailableError("database_unavailable", "Away.")
        return await page(project_id, **more)

    store.of_project = breaking
    with pytest.raises(UnavailableError):
        await story.channels.remove_collaborator(PROJECT, GRACE, revision=3)
    store.of_project = page
    await story.channels.remove_collaborator(PROJECT, GRACE, revision=3)
    for channel in channels:
        assert not (await store.get_member(channel, GRACE)).is_active


async def test_a_stale_removal_leaves_who_came_back(story) -> None:
    """A newer fact about the collaborator is known."""
    channel = await story.open(GRACE)
    await story.put(GRACE, 4)
    await story.channels.remove_collaborator(PROJECT, GRACE, revision=3)
    assert (await story.chat.store.get_member(channel, GRACE)).is_active


async def test_an_archived_project_archives_every_channel(story) -> None:
    """They come back with it, but for those that were archived by hand."""
    chat = story.chat
    channel, by_hand = await story.open(), await story.open(title="old")
    await chat.conversations.change(ADA, by_hand, Amendment(is_archived=True))
    for _ in range(2):
        await story.channels.archive(PROJECT, is_archived=True, revision=3)
    with pytest.raises(ConversationIsArchivedError):
        await chat.writer.submit(draft(channel))
    for archived in (channel, by_hand):
        with pytest.raises(ProjectIsArchivedError):
            await chat.conversations.change(ADA, archived, Amendment(is_archived=False))
    with pytest.raises(ProjectIsArchivedError):
        await story.open(title="new")
    await story.channels.archive(PROJECT, is_archived=False, revision=4)
    await story.channels.archive(PROJECT, is_archived=True, revision=3)
    assert (await chat.writer.submit(draft(channel))).seq == 1
    assert (await chat.store.get(by_hand)).is_archived
    assert len(chat.bus.published_of(ConversationArchived)) == 5


async def test_a_deleted_project_destroys_its_channels(story, monkeypatch) -> None:
    """Nobody opens another one; a job that broke off goes on with what is left."""
    monkeypatch.setattr("services.chat.service.dissolution._PAGE", 1)
    chat = story.chat
    channels = [await story.open(GRACE, title=f"{n}") for n in range(3)]
    other = await chat.group(GRACE)
    for place in (*channels, other):
        await chat.writer.submit(draft(place))
    await story.channels.dissolve(PROJECT, revision=3)
    with pytest.raises(ProjectIsArchivedError):
        await story.open(title="new")
    delete, left = chat.deletion.delete_with_project, [2]

    async def breaking(conversation_id):
        left[0] -= 1
        if left[0] < 0:
            raise UnavailableError("database_unavailable", "Away.")
        await delete(conversation_id)

    chat.deletion.delete_with_project = breaking
    with pytest.raises(UnavailableError):
        await chat.jobs.run_one()
    chat.deletion.delete_with_project = delete
    chat.clock.advance(timedelta(seconds=61))
    while await chat.jobs.run_one():
        pass
    for place in (*channels, general_id(PROJECT)):
        with pytest.raises(ConversationNotFoundError):
            await chat.conversations.get(ADA, place)
    told = [e.conversation_id for e in chat.bus.published_of(ConversationDeleted)]
    assert sorted(told) == sorted((*channels, general_id(PROJECT)))
    assert told[-1] == general_id(PROJECT)
    assert {m.conversation_id for m in chat.store.messages.values()} == {other}
    with pytest.raises(ProjectNotFoundError):
        await story.open(title="new")


@pytest.mark.parametrize("leaves_project", [True, False])
async def test_a_channel_gets_another_owner_when_its_own_leaves(
    story, leaves_project
) -> None:
    """The longest admin inherits before a member, by a change of its own."""
    chat = story.chat
    await story.put(MALLORY, 3)
    channel = await story.open(GRACE, MALLORY)
    await chat.roles.change(ADA, channel, MALLORY, Role.ADMIN)
    if leaves_project:
        await story.channels.remove_collaborator(PROJECT, ADA, revision=4)
    else:
        await chat.members.remove(ADA, channel, ADA)
    heir = await chat.store.get_member(channel, MALLORY)
    assert (heir.role, heir.revision) == (Role.OWNER, 3)
    assert (await chat.store.get_member(channel, ADA)).revision == 4
    told = chat.bus.published_of(ConversationRoleChanged)[-1]
    assert (told.user_id, told.changed_by) == (MALLORY, None)
