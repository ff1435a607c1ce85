"""What a project is, who may do what with it, and how that fails. No I/O."""

import unicodedata
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from libs.kernel import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    ProjectId,
    UserId,
)

NAME_MAX_CODE_POINTS = 80
DESCRIPTION_MAX_CODE_POINTS = 2_000

_FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cs"})  # controls, lone surrogates
_TEXT_CONTROLS = frozenset("\n\t")


class Role(Enum):
    """What a collaborator is in one project."""

    OWNER = "owner"
    ADMIN = "admin"
    COLLABORATOR = "collaborator"


class Action(Enum):
    """What a collaborator may want to do; `PERMISSIONS` says who may."""

    VIEW = "view"
    UPDATE = "update"
    ARCHIVE = "archive"
    DELETE = "delete"
    ADD_COLLABORATOR = "add_collaborator"
    REMOVE_COLLABORATOR = "remove_collaborator"
    CHANGE_ROLE = "change_role"


_ALL = frozenset(Role)
_LEADERS = frozenset({Role.OWNER, Role.ADMIN})

PERMISSIONS: dict[Action, frozenset[Role]] = {
    Action.VIEW: _ALL,
    Action.UPDATE: _LEADERS,
    Action.ARCHIVE: _LEADERS,
    Action.DELETE: frozenset({Role.OWNER}),
    Action.ADD_COLLABORATOR: _LEADERS,
    Action.REMOVE_COLLABORATOR: _LEADERS,
    Action.CHANGE_ROLE: _LEADERS,
}
"""The whole permission table; leaving a project oneself is always permitted."""

GRANTABLE: dict[Role, frozenset[Role]] = {
    Role.OWNER: _ALL,
    Role.ADMIN: frozenset({Role.ADMIN, Role.COLLABORATOR}),
    Role.COLLABORATOR: frozenset(),
}
"""Roles that a role may give: never one above itself."""

MANAGEABLE: dict[Role, frozenset[Role]] = {
    Role.OWNER: _ALL,
    Role.ADMIN: frozenset({Role.COLLABORATOR}),
    Role.COLLABORATOR: frozenset(),
}
"""Roles whose holders a role may remove or change, oneself aside."""


class ProjectNotFoundError(NotFoundError):
    """There is no such project, or the caller is not in it."""

    def __init__(self) -> None:
        super().__init__("project_not_found", "No such project.")


class CollaboratorNotFoundError(NotFoundError):
    """The user is not in this project."""

    def __init__(self) -> None:
        super().__init__("collaborator_not_found", "No such collaborator.")


class UserNotFoundError(NotFoundError):
    """There is no such active user: unknown, unverified, suspended or deleted."""

    def __init__(self) -> None:
        super().__init__("user_not_found", "No such active user.")


class NotPermittedError(ForbiddenError):
    """The caller's role does not allow it."""

    def __init__(self, action: Action) -> None:
        super().__init__(
            "project_not_permitted",
            "Your role in this project does not allow this.",
            action=action.value,
        )


class LastOwnerError(ConflictError):
    """A project always has an owner."""

    def __init__(self) -> None:
        super().__init__(
            "last_owner", "The last owner cannot leave, be removed or be demoted."
        )


class CollaboratorExistsError(ConflictError):
    """The user is in the project already."""

    def __init__(self) -> None:
        super().__init__("collaborator_exists", "This user is in the project already.")


class ProjectArchivedError(ConflictError):
    """An archived project is read-only."""

    def __init__(self) -> None:
        super().__init__("project_archived", "An archived project is read-only.")


class RevisionConflictError(ConflictError):
    """Somebody else changed the project at the same time; nothing was done."""

    def __init__(self) -> None:
        super().__init__(
            "project_changed", "The project changed at the same time; try again."
        )


class TextInvalidError(InvalidError):
    """A name or description breaks the rules; details name the field."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__("project_text_invalid", reason, field=field)


@dataclass(frozen=True)
class Project:
    """A workspace.

    Attributes:
        project_id: UUIDv7: ids sort by creation.
        name: 1..80 code points on one line, NFC.
        description: 0..2,000 code points, NFC.
        revision: Counts the durable changes from 1; each change emits one event.
        is_archived: Read-only until it is brought back.
        created_at: UTC.
        updated_at: UTC, of the last change.
    """

    project_id: ProjectId
    name: str
    description: str
    revision: int
    is_archived: bool
    created_at: datetime
    updated_at: datetime

    def advanced(self, now: datetime) -> "Project":
        """Return the same project as its next revision."""
        return replace(self, revision=self.revision + 1, updated_at=now)


@dataclass(frozen=True)
class Collaborator:
    """One user's place in one project."""

    project_id: ProjectId
    user_id: UserId
    role: Role
    added_by: UserId
    added_at: datetime


@dataclass(frozen=True)
class Membership:
    """A project as one of its collaborators sees it."""

    project: Project
    role: Role


def clean_name(text: str) -> str:
    """Return a project's name as it is kept: NFC, trimmed.

    Raises:
        TextInvalidError: Empty, longer than 80 code points, or not one printable
            line.
    """
    name = unicodedata.normalize("NFC", text).strip()
    if not 1 <= len(name) <= NAME_MAX_CODE_POINTS:
        raise TextInvalidError("name", "A name has 1 to 80 characters.")
    if _has_controls(name):
        raise TextInvalidError("name", "A name is one line of text.")
    return name


def clean_description(text: str) -> str:
    """Return a project's description as it is kept: NFC, trimmed, may be empty.

    Raises:
        TextInvalidError: Longer than 2,000 code points, or control characters other
            than line feed and tab.
    """
    description = unicodedata.normalize("NFC", text).strip()
    if len(description) > DESCRIPTION_MAX_CODE_POINTS:
        raise TextInvalidError(
            "description", "A description has at most 2,000 characters."
        )
    if _has_controls(description, allowed=_TEXT_CONTROLS):
        raise TextInvalidError("description", "A description is plain text.")
    return description


def ensure_permitted(role: Role, action: Action) -> None:
    """Check a role against the permission table.

    Raises:
        NotPermittedError: The table says no.
    """
    if role not in PERMISSIONS[action]:
        raise NotPermittedError(action)


def ensure_open(project: Project) -> None:
    """Check that a project takes changes.

    Raises:
        ProjectArchivedError: It is archived.
    """
    if project.is_archived:
        raise ProjectArchivedError


def ensure_may_add(actor: Role, role: Role) -> None:
    """Check that an actor may bring somebody in with a role.

    Raises:
        NotPermittedError: Not a leader, or the role is above the actor's own.
    """
    ensure_permitted(actor, Action.ADD_COLLABORATOR)
    if role not in GRANTABLE[actor]:
        raise NotPermittedError(Action.ADD_COLLABORATOR)


def ensure_may_remove(actor: Collaborator, target: Collaborator) -> None:
    """Check that an actor may remove somebody; anybody may leave.

    Raises:
        NotPermittedError: The target is not below the actor.
    """
    if actor.user_id == target.user_id:
        return
    ensure_permitted(actor.role, Action.REMOVE_COLLABORATOR)
    if target.role not in MANAGEABLE[actor.role]:
        raise NotPermittedError(Action.REMOVE_COLLABORATOR)


def ensure_may_change_role(
    actor: Collaborator, target: Collaborator, role: Role
) -> None:
    """Check that an actor may give somebody another role; oneself only a lower one.

    Raises:
        NotPermittedError: The target is not below the actor, or the new role is
            above the actor's own.
    """
    ensure_permitted(actor.role, Action.CHANGE_ROLE)
    is_self = actor.user_id == target.user_id
    may_touch = is_self or target.role in MANAGEABLE[actor.role]
    if not may_touch or role not in GRANTABLE[actor.role]:
        raise NotPermittedError(Action.CHANGE_ROLE)


def ensure_owner_remains(
    target: Collaborator, owner_count: int, *, new_role: Role | None
) -> None:
    """Check that a project keeps an owner.

    Args:
        target: Who leaves or changes role.
        owner_count: Owners of the project now, the target included.
        new_role: None: the target leaves.

    Raises:
        LastOwnerError: Nobody would own the project.
    """
    if target.role is Role.OWNER and new_role is not Role.OWNER and owner_count <= 1:
        raise LastOwnerError


def choose_successor(others: list[Collaborator]) -> Collaborator | None:
    """Choose who owns a project when its last owner's account is gone.

    Admins before collaborators, and who came first before who came later.

    Returns:
        None where nobody is left: the project ends with its owner.
    """
    seniority = {Role.OWNER: 0, Role.ADMIN: 1, Role.COLLABORATOR: 2}
    return min(
        others,
        key=lambda other: (seniority[other.role], other.added_at, other.user_id),
        default=None,
    )


def _has_controls(text: str, allowed: frozenset[str] = frozenset()) -> bool:
    return any(
        unicodedata.category(character) in _FORBIDDEN_CATEGORIES
        and character not in allowed
        for character in text
    )
