"""The permission table: every cell, and the states that narrow it."""

import itertools

import pytest

from libs.kernel import ConversationId, FrozenClock, new_id
from services.chat.domain.conversation import (
    Conversation,
    ConversationKind,
    Member,
    Role,
)
from services.chat.domain.errors import (
    AnnouncementOnlyError,
    ConversationIsArchivedError,
    ConversationNotFoundError,
    MembershipIsManagedError,
    NotPermittedError,
)
from services.chat.domain.permissions import (
    PERMISSIONS,
    SPEAKERS,
    WHEN_ARCHIVED,
    WHEN_MANAGED,
    Action,
    is_allowed,
    require,
    require_may_give,
    require_outranks,
)
from tests.unit.chat.support import ADA

CLOCK = FrozenClock()
KEEP = "draft bookmark "
"""What everybody does for themselves."""

ALLOWED = {
    "direct": dict.fromkeys(
        Role, KEEP + "read send edit_own delete_own react pin mention_all"
    ),
    "group": {
        "owner": KEEP + "react pin mention_all "
        "read send edit_own delete_own delete_any update configure "
        "add_member remove_member invite ban change_role transfer archive delete leave",
        "admin": KEEP + "react pin mention_all "
        "read send edit_own delete_own delete_any update configure "
        "add_member remove_member invite ban archive leave",
        "member": KEEP + "react pin mention_all "
        "read send edit_own delete_own add_member leave",
        "guest": KEEP + "react read send edit_own delete_own leave",
    },
    "channel": {
        "owner": KEEP + "react pin mention_all "
        "read send edit_own delete_own delete_any update configure "
        "add_member remove_member invite ban change_role transfer archive delete leave",
        "admin": KEEP + "react pin mention_all "
        "read send edit_own delete_own delete_any update configure "
        "add_member remove_member invite ban archive leave",
        "member": KEEP + "react pin mention_all read send edit_own delete_own leave",
        "guest": KEEP + "react read send edit_own delete_own leave",
    },
}
CELLS = list(itertools.product(ConversationKind, Role, Action))


def conversation(kind: ConversationKind, **state: bool) -> Conversation:
    """Return a conversation in a state."""
    return Conversation(
        conversation_id=ConversationId(new_id()),
        kind=kind,
        title=None,
        project_id=None,
        created_by=None,
        created_at=CLOCK.now(),
        **state,
    )


def member(role: Role, *, is_active: bool = True) -> Member:
    """Return a member with a role."""
    return Member(
        conversation_id=ConversationId(new_id()),
        user_id=ADA,
        role=role,
        joined_at=CLOCK.now(),
        revision=1,
        is_active=is_active,
    )


@pytest.mark.parametrize(("kind", "role", "action"), CELLS)
def test_every_cell_says_what_the_issue_says(kind, role, action) -> None:
    """The table is compared with a second one, written by hand."""
    assert is_allowed(kind, role, action) == (action in ALLOWED[kind][role].split())


def test_the_table_is_complete() -> None:
    """No kind or role is missing."""
    assert set(PERMISSIONS) == set(ConversationKind)
    assert all(set(roles) == set(Role) for roles in PERMISSIONS.values())


@pytest.mark.parametrize(("kind", "role", "action"), CELLS)
def test_require_follows_the_table(kind, role, action) -> None:
    """In an open conversation the table alone decides."""
    if is_allowed(kind, role, action):
        assert require(conversation(kind), member(role), action) is role
    else:
        with pytest.raises(NotPermittedError):
            require(conversation(kind), member(role), action)


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("nobody", [None, member(Role.OWNER, is_active=False)])
def test_who_is_no_member_sees_nothing(nobody, action) -> None:
    """A stranger and a removed owner get the same answer as for a missing one."""
    with pytest.raises(ConversationNotFoundError):
        require(conversation(ConversationKind.GROUP), nobody, action)


@pytest.mark.parametrize("action", Action)
def test_an_archived_conversation_is_read_only(action) -> None:
    """An owner may read, leave and bring it back."""
    archived = conversation(ConversationKind.GROUP, is_archived=True)
    if action in WHEN_ARCHIVED:
        require(archived, member(Role.OWNER), action)
    else:
        with pytest.raises(ConversationIsArchivedError):
            require(archived, member(Role.OWNER), action)


@pytest.mark.parametrize("action", Action)
def test_a_projects_channel_leaves_membership_to_the_project(action) -> None:
    """Not even its owner adds, removes or leaves here."""
    managed = conversation(ConversationKind.CHANNEL, is_managed=True)
    if action in WHEN_MANAGED:
        require(managed, member(Role.OWNER), action)
    else:
        with pytest.raises(MembershipIsManagedError):
            require(managed, member(Role.OWNER), action)


@pytest.mark.parametrize("role", Role)
def test_only_speakers_send_where_only_announcements_are_made(role) -> None:
    """Owners and admins send and edit; the others read and take back their own."""
    announcing = conversation(ConversationKind.CHANNEL, is_announcement_only=True)
    require(announcing, member(role), Action.DELETE_OWN)
    for action in (Action.SEND, Action.EDIT_OWN):
        if role in SPEAKERS:
            require(announcing, member(role), action)
        else:
            with pytest.raises(AnnouncementOnlyError):
                require(announcing, member(role), action)


def test_nobody_gives_more_than_they_have() -> None:
    """An admin makes admins, not owners."""
    require_may_give(Role.ADMIN, Role.ADMIN)
    with pytest.raises(NotPermittedError):
        require_may_give(Role.ADMIN, Role.OWNER)


def test_nobody_removes_their_equal_but_owners() -> None:
    """An admin removes members, an owner anybody."""
    require_outranks(Role.ADMIN, Role.MEMBER)
    require_outranks(Role.OWNER, Role.OWNER)
    with pytest.raises(NotPermittedError):
        require_outranks(Role.ADMIN, Role.ADMIN)


REFUSED_WHEN_ARCHIVED = (
    "send edit_own delete_own delete_any react pin mention_all draft bookmark update "
    "configure add_member remove_member invite ban change_role"
)


def test_az_6_an_archived_conversation_takes_nothing() -> None:
    """AZ-6: by a second list, written by hand; and not from an owner either."""
    refused = set(Action) - WHEN_ARCHIVED
    assert {str(action) for action in refused} == set(REFUSED_WHEN_ARCHIVED.split())
    archived = conversation(ConversationKind.CHANNEL, is_archived=True)
    for action in refused:
        with pytest.raises(ConversationIsArchivedError):
            require(archived, member(Role.OWNER), action)
