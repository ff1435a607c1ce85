"""Where a document lives and who may see it: a projection of foreign facts."""

from dataclasses import dataclass
from enum import StrEnum


class ScopeKind(StrEnum):
    """What sort of home a document has."""

    PRIVATE = "private"
    CONVERSATION = "conversation"
    PROJECT = "project"


@dataclass(frozen=True, slots=True)
class Scope:
    """The home of a document; its members may read it.

    Attributes:
        kind: See `ScopeKind`.
        id: Id of the conversation or project; of the owner where it is private.
    """

    kind: ScopeKind
    id: str

    @property
    def key(self) -> str:
        """Text form, for example ``conversation:0193a5c4-…``."""
        return f"{self.kind}:{self.id}"

    @classmethod
    def from_key(cls, key: str) -> "Scope":
        """Read the text form."""
        kind, _, scope_id = key.partition(":")
        return cls(ScopeKind(kind), scope_id)

    @property
    def conversation_id(self) -> str | None:
        """Id of the conversation, where it is one."""
        return self.id if self.kind is ScopeKind.CONVERSATION else None

    @property
    def project_id(self) -> str | None:
        """Id of the project, where it is one."""
        return self.id if self.kind is ScopeKind.PROJECT else None


def private_scope(owner_id: str) -> Scope:
    """Return the home of what only its owner sees."""
    return Scope(ScopeKind.PRIVATE, owner_id)


def conversation_scope(conversation_id: str) -> Scope:
    """Return the home of what a conversation's members see."""
    return Scope(ScopeKind.CONVERSATION, conversation_id)


def project_scope(project_id: str) -> Scope:
    """Return the home of what a project's collaborators see."""
    return Scope(ScopeKind.PROJECT, project_id)


@dataclass(frozen=True, slots=True)
class MembershipChange:
    """One person joined, left or changed role at a revision of a scope.

    Attributes:
        scope: A conversation or project.
        user_id: Whom it concerns.
        revision: The scope's; of two changes to one person the higher one counts,
            in whatever order they arrive.
        role: The new role; None: no member any more.
    """

    scope: Scope
    user_id: str
    revision: int
    role: str | None


@dataclass(frozen=True, slots=True)
class ScopeChange:
    """A conversation or project was archived, brought back or deleted.

    Deleted is for ever: no later or earlier change undoes it.
    """

    scope: Scope
    revision: int
    is_archived: bool = False
    is_deleted: bool = False


@dataclass(frozen=True, slots=True)
class Membership:
    """What a member of a scope may do there.

    Attributes:
        role: The role in the conversation or project.
        is_archived: Reading only.
    """

    role: str
    is_archived: bool = False
