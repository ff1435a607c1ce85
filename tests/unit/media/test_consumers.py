"""Which events change who may see what."""

import itertools

import pytest

from libs.crypto import Sealed
from libs.events.catalog.conversation import (
    ConversationArchived,
    ConversationCreated,
    ConversationDeleted,
    ConversationMemberAdded,
    ConversationMemberRemoved,
    ConversationRead,
    ConversationRoleChanged,
)
from libs.events.catalog.project import (
    ProjectArchived,
    ProjectCollaboratorAdded,
    ProjectCollaboratorRemoved,
    ProjectCreated,
    ProjectDeleted,
    ProjectRoleChanged,
)
from libs.events.catalog.user import UserUpdated
from services.media.consumers import access_changes, worker
from services.media.domain import Membership, conversation_scope, project_scope

C, P = {"conversation_id": "c"}, {"project_id": "p"}
CONVERSATION = [
    ConversationCreated(
        **C,
        revision=1,
        kind="group",
        project_id=None,
        title=None,
        created_by="ada",
        members=(("ada", "owner"), ("ben", "member")),
    ),
    ConversationMemberAdded(
        **C, revision=2, user_id="eve", role="guest", added_by="ada"
    ),
    ConversationRoleChanged(
        **C, revision=3, user_id="eve", role="admin", changed_by="ada"
    ),
    ConversationMemberRemoved(**C, revision=4, user_id="ben", removed_by="eve"),
    ConversationArchived(**C, revision=5, is_archived=True, archived_by="ada"),
]
PROJECT = [
    ProjectCreated(**P, revision=1, owner_id="ada", name=Sealed("k", b"")),
    ProjectCollaboratorAdded(
        **P, revision=2, user_id="eve", role="collaborator", added_by="ada"
    ),
    ProjectRoleChanged(**P, revision=3, user_id="eve", role="admin", changed_by="ada"),
    ProjectCollaboratorAdded(
        **P, revision=4, user_id="ben", role="collaborator", added_by="ada"
    ),
    ProjectCollaboratorRemoved(**P, revision=5, user_id="ben", removed_by="eve"),
    ProjectArchived(**P, revision=6, is_archived=True, archived_by="ada"),
]
EXPECTED = {
    "ada": Membership("owner", is_archived=True),
    "ben": None,
    "eve": Membership("admin", is_archived=True),
}


async def told(media, emitter, events):
    """Publish events and wait until they are settled."""
    async with emitter.transaction() as transaction:
        for event in events:
            transaction.publish(event)
    await media.bus.settled()


@pytest.mark.parametrize(
    ("events", "scope"),
    [(CONVERSATION, conversation_scope("c")), (PROJECT, project_scope("p"))],
)
async def test_any_order_ends_in_the_same_place(idle_media, events, scope):
    """Every order of the same events, with repeats, gives the same membership."""
    orders = list(itertools.permutations(events))[:: len(events) * 2]
    for order in orders:
        access = type(idle_media.access)()
        for event in (*order, order[0]):
            members, scopes = access_changes(event)
            await access.apply(members, scopes)
        found = {name: await access.membership(scope, name) for name in EXPECTED}
        assert found == EXPECTED, order


async def test_events_reach_the_projection(media):
    """What chat and project publish arrives through the subscription."""
    await told(media, media.bus, [*CONVERSATION, *PROJECT])
    for scope in (conversation_scope("c"), project_scope("p")):
        assert await media.access.membership(scope, "ada") == EXPECTED["ada"]
        assert await media.access.membership(scope, "ben") is None


@pytest.mark.parametrize(
    ("event", "scope"),
    [
        (
            ConversationDeleted(**C, revision=9, deleted_by=None),
            conversation_scope("c"),
        ),
        (ProjectDeleted(**P, revision=9, deleted_by="ada"), project_scope("p")),
    ],
)
async def test_deletion_ends_every_membership(media, event, scope):
    """Nobody reads in a home that is gone."""
    await told(media, media.bus, [*CONVERSATION, *PROJECT, event])
    assert await media.access.membership(scope, "ada") is None


async def test_the_newest_avatar_counts(media):
    """What auth tells of a profile arrives; an older revision undoes nothing."""

    def shown(document_id, revision):
        return UserUpdated(
            user_id="ada",
            revision=revision,
            display_name="Ada",
            handle=None,
            locale="en",
            time_zone="UTC",
            status_text="",
            avatar_document_id=document_id,
            roles=("member",),
        )

    await told(media, media.bus, [shown("new", 3), shown("old", 2)])
    assert await media.access.is_avatar("ada", "new")
    assert not await media.access.is_avatar("ada", "old")
    await told(media, media.bus, [shown(None, 4)])
    assert not await media.access.is_avatar("ada", "new")


def test_other_events_change_nothing():
    """An event that says nothing about access is no change."""
    read = ConversationRead(**C, user_id="ada", read_seq=1)
    assert access_changes(read) == ([], [])


def test_declared_rights():
    """Media emits media.* and its answers; its queues are named for what they do."""
    exchanges = {event.event_exchange() for event in worker.emits}
    assert exchanges == {"media.events", "erasure.events"}
    names = [subscription.name for subscription in worker.subscriptions]
    assert names == [
        "access-projection",
        "avatars",
        "suspensions",
        "erasures",
        "process-uploads",
        "erase-bytes",
        "delete-scopes",
    ]
