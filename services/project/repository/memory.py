"""The repositories in memory; the contract test holds them to MongoDB's behaviour."""

from libs.kernel import ProjectId, UserId
from services.project.domain import (
    Collaborator,
    Membership,
    Project,
    RevisionConflictError,
    Role,
)
from services.project.ports import Session


class MemoryProjectRepository:
    """`ProjectRepository` in dictionaries; sessions are ignored, nothing rolls back."""

    def __init__(self) -> None:
        self._projects: dict[ProjectId, Project] = {}
        self._places: dict[tuple[ProjectId, UserId], Collaborator] = {}

    async def add(
        self, project: Project, owner: Collaborator, session: Session
    ) -> None:
        """Store a new project with its first owner."""
        del session
        self._projects[project.project_id] = project
        self._places[owner.project_id, owner.user_id] = owner

    async def find(
        self, project_id: ProjectId, session: Session = None
    ) -> Project | None:
        """Return a project, or None."""
        del session
        return self._projects.get(project_id)

    async def save(self, project: Project, session: Session) -> None:
        """Store the next revision; raises `RevisionConflictError`."""
        del session
        self._compare(project, project.revision - 1)
        self._projects[project.project_id] = project

    async def remove(self, project: Project, session: Session) -> None:
        """Erase a project with its collaborators; raises `RevisionConflictError`."""
        del session
        self._compare(project, project.revision)
        del self._projects[project.project_id]
        for key in [key for key in self._places if key[0] == project.project_id]:
            del self._places[key]

    async def list_memberships(
        self, user_id: UserId, *, before: ProjectId | None, limit: int
    ) -> list[Membership]:
        """Return a user's projects, newest first."""
        places = sorted(
            (
                place
                for place in self._places.values()
                if place.user_id == user_id
                and (before is None or place.project_id < before)
            ),
            key=lambda place: place.project_id,
            reverse=True,
        )
        return [
            Membership(self._projects[place.project_id], place.role)
            for place in places[:limit]
        ]

    async def find_collaborator(
        self, project_id: ProjectId, user_id: UserId, session: Session = None
    ) -> Collaborator | None:
        """Return a user's place in a project, or None."""
        del session
        return self._places.get((project_id, user_id))

    async def list_collaborators(
        self,
        project_id: ProjectId,
        *,
        after: UserId | None,
        limit: int,
        session: Session = None,
    ) -> list[Collaborator]:
        """Return collaborators in the order of their user ids."""
        del session
        places = [
            place
            for place in self._places.values()
            if place.project_id == project_id
            and (after is None or place.user_id > after)
        ]
        return sorted(places, key=lambda place: place.user_id)[:limit]

    async def list_projects_of(
        self, user_id: UserId, *, limit: int, session: Session = None
    ) -> list[ProjectId]:
        """Return ids of projects that a user is in."""
        del session
        ids = [project for project, user in self._places if user == user_id]
        return ids[:limit]

    async def count_owners(self, project_id: ProjectId, session: Session) -> int:
        """Return how many owners a project has."""
        del session
        return sum(
            place.role is Role.OWNER and place.project_id == project_id
            for place in self._places.values()
        )

    async def put_collaborator(
        self, collaborator: Collaborator, session: Session
    ) -> None:
        """Store a collaborator, or a known one's new state."""
        del session
        key = (collaborator.project_id, collaborator.user_id)
        self._places[key] = collaborator

    async def remove_collaborator(
        self, project_id: ProjectId, user_id: UserId, session: Session
    ) -> None:
        """Erase a collaborator; unknown ones are no error."""
        del session
        self._places.pop((project_id, user_id), None)

    def _compare(self, project: Project, revision: int) -> None:
        stored = self._projects.get(project.project_id)
        if stored is None or stored.revision != revision:
            raise RevisionConflictError


class MemoryUserDirectory:
    """`UserDirectory` in dictionaries."""

    def __init__(self) -> None:
        self._verified: set[UserId] = set()
        self._deleted: set[UserId] = set()
        self._suspensions: dict[UserId, tuple[int, bool]] = {}

    async def is_active(self, user_id: UserId, session: Session = None) -> bool:
        """Tell whether a user is verified, not suspended and not deleted."""
        del session
        _, is_suspended = self._suspensions.get(user_id, (0, False))
        is_known = user_id in self._verified and user_id not in self._deleted
        return is_known and not is_suspended

    async def verify(self, user_id: UserId, session: Session) -> None:
        """Note that a user's account became active."""
        del session
        self._verified.add(user_id)

    async def suspend(
        self, user_id: UserId, revision: int, session: Session, *, is_suspended: bool
    ) -> None:
        """Note a suspension or its end; the highest revision wins."""
        del session
        known, _ = self._suspensions.get(user_id, (0, False))
        if revision > known:
            self._suspensions[user_id] = (revision, is_suspended)

    async def delete(self, user_id: UserId, session: Session) -> None:
        """Note for ever that a user is gone."""
        del session
        self._deleted.add(user_id)
