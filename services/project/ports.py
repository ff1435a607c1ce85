"""What the use cases need from outside."""

from typing import Any, Protocol

from libs.kernel import ProjectId, UserId
from services.project.domain import Collaborator, Membership, Project

Session = Any
"""The driver's session of a transaction (`libs.events.Transaction.session`)."""


class ProjectRepository(Protocol):
    """Projects and their collaborators.

    Writes take the session of the transaction that also holds their event. Reads
    with a session see the transaction's snapshot.
    """

    async def add(
        self, project: Project, owner: Collaborator, session: Session
    ) -> None:
        """Store a new project with its first owner."""
        ...

    async def find(
        self, project_id: ProjectId, session: Session = None
    ) -> Project | None:
        """Return a project, or None."""
        ...

    async def save(self, project: Project, session: Session) -> None:
        """Store a project whose revision is one above the stored one.

        Raises:
            RevisionConflictError: The stored revision is another; nothing is written.
        """
        ...

    async def remove(self, project: Project, session: Session) -> None:
        """Erase a project and its collaborators.

        Args:
            project: As read: its revision must still be the stored one.
            session: See the class.

        Raises:
            RevisionConflictError: It changed meanwhile; nothing is written.
        """
        ...

    async def list_memberships(
        self, user_id: UserId, *, before: ProjectId | None, limit: int
    ) -> list[Membership]:
        """Return a user's projects, newest first.

        Args:
            user_id: Whose.
            before: Only projects whose id is smaller: a page's last one.
            limit: At most so many.
        """
        ...

    async def find_collaborator(
        self, project_id: ProjectId, user_id: UserId, session: Session = None
    ) -> Collaborator | None:
        """Return a user's place in a project, or None."""
        ...

    async def list_collaborators(
        self,
        project_id: ProjectId,
        *,
        after: UserId | None,
        limit: int,
        session: Session = None,
    ) -> list[Collaborator]:
        """Return collaborators in the order of their user ids."""
        ...

    async def list_projects_of(
        self, user_id: UserId, *, limit: int, session: Session = None
    ) -> list[ProjectId]:
        """Return ids of projects that a user is in, in no special order."""
        ...

    async def count_owners(self, project_id: ProjectId, session: Session) -> int:
        """Return how many owners a project has."""
        ...

    async def put_collaborator(
        self, collaborator: Collaborator, session: Session
    ) -> None:
        """Store a collaborator, or a known one's new state."""
        ...

    async def remove_collaborator(
        self, project_id: ProjectId, user_id: UserId, session: Session
    ) -> None:
        """Erase a collaborator; unknown ones are no error."""
        ...


class UserDirectory(Protocol):
    """Projection of auth's users: who exists and is active.

    Facts may arrive in any order and more than once; the outcome is the same.
    """

    async def is_active(self, user_id: UserId, session: Session = None) -> bool:
        """Tell whether a user is verified, not suspended and not deleted."""
        ...

    async def verify(self, user_id: UserId, session: Session) -> None:
        """Note that a user's account became active."""
        ...

    async def suspend(
        self, user_id: UserId, revision: int, session: Session, *, is_suspended: bool
    ) -> None:
        """Note a suspension or its end; the highest revision wins."""
        ...

    async def delete(self, user_id: UserId, session: Session) -> None:
        """Note for ever that a user is gone."""
        ...
