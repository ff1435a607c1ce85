"""Projects in MongoDB: ``projects``, ``collaborators``, ``users``.

A project's name and description are sealed with the storage ring, bound to the
project's id and the field's name.
"""

from collections.abc import Mapping
from datetime import UTC
from typing import Any

from pymongo import DESCENDING
from pymongo.asynchronous.database import AsyncDatabase

from libs.crypto.fields import FieldSealer
from libs.crypto.sealed import Sealed
from libs.kernel import ProjectId, UserId
from services.project.domain import (
    Collaborator,
    Membership,
    Project,
    RevisionConflictError,
    Role,
)
from services.project.ports import Session

Document = dict[str, Any]  # what BSON holds


class MongoProjectRepository:
    """`ProjectRepository` on MongoDB."""

    def __init__(self, database: AsyncDatabase[Document], sealer: FieldSealer) -> None:
        self._projects = database["projects"]
        self._collaborators = database["collaborators"]
        self._sealer = sealer

    async def create_indexes(self) -> None:
        """Create the indexes; idempotent."""
        # One place a user and project, and the order of a project's list.
        await self._collaborators.create_index(
            [("project_id", 1), ("user_id", 1)], unique=True
        )
        # A user's projects, newest first.
        await self._collaborators.create_index([("user_id", 1), ("project_id", -1)])
        await self._collaborators.create_index([("project_id", 1), ("role", 1)])

    async def add(
        self, project: Project, owner: Collaborator, session: Session
    ) -> None:
        """Store a new project with its first owner."""
        document = {
            "_id": project.project_id,
            "created_at": project.created_at,
            **self._state(project),
        }
        await self._projects.insert_one(document, session=session)
        await self.put_collaborator(owner, session)

    async def find(
        self, project_id: ProjectId, session: Session = None
    ) -> Project | None:
        """Return a project, or None."""
        document = await self._projects.find_one({"_id": project_id}, session=session)
        return None if document is None else self._project(document)

    async def save(self, project: Project, session: Session) -> None:
        """Store the next revision; raises `RevisionConflictError`."""
        result = await self._projects.update_one(
            {"_id": project.project_id, "revision": project.revision - 1},
            {"$set": self._state(project)},
            session=session,
        )
        if not result.matched_count:
            raise RevisionConflictError

    async def remove(self, project: Project, session: Session) -> None:
        """Erase a project with its collaborators; raises `RevisionConflictError`."""
        result = await self._projects.delete_one(
            {"_id": project.project_id, "revision": project.revision}, session=session
        )
        if not result.deleted_count:
            raise RevisionConflictError
        await self._collaborators.delete_many(
            {"project_id": project.project_id}, session=session
        )

    async def list_memberships(
        self, user_id: UserId, *, before: ProjectId | None, limit: int
    ) -> list[Membership]:
        """Return a user's projects, newest first."""
        query: Document = {"user_id": user_id}
        if before is not None:
            query["project_id"] = {"$lt": before}
        cursor = self._collaborators.find(
            query, {"project_id": 1, "role": 1}, limit=limit
        ).sort("project_id", DESCENDING)
        places = await cursor.to_list()
        ids = [place["project_id"] for place in places]
        found = await self._projects.find({"_id": {"$in": ids}}).to_list()
        projects = {document["_id"]: self._project(document) for document in found}
        # A project that was erased between the two reads is left out.
        return [
            Membership(projects[place["project_id"]], Role(place["role"]))
            for place in places
            if place["project_id"] in projects
        ]

    async def find_collaborator(
        self, project_id: ProjectId, user_id: UserId, session: Session = None
    ) -> Collaborator | None:
        """Return a user's place in a project, or None."""
        document = await self._collaborators.find_one(
            {"project_id": project_id, "user_id": user_id}, session=session
        )
        return None if document is None else _collaborator(document)

    async def list_collaborators(
        self,
        project_id: ProjectId,
        *,
        after: UserId | None,
        limit: int,
        session: Session = None,
    ) -> list[Collaborator]:
        """Return collaborators in the order of their user ids."""
        query: Document = {"project_id": project_id}
        if after is not None:
            query["user_id"] = {"$gt": after}
        cursor = self._collaborators.find(query, limit=limit, session=session)
        documents = await cursor.sort("user_id").to_list()
        return [_collaborator(document) for document in documents]

    async def list_projects_of(
        self, user_id: UserId, *, limit: int, session: Session = None
    ) -> list[ProjectId]:
        """Return ids of projects that a user is in."""
        cursor = self._collaborators.find(
            {"user_id": user_id}, {"project_id": 1}, limit=limit, session=session
        )
        return [document["project_id"] for document in await cursor.to_list()]

    async def count_owners(self, project_id: ProjectId, session: Session) -> int:
        """Return how many owners a project has."""
        return await self._collaborators.count_documents(
            {"project_id": project_id, "role": Role.OWNER.value}, session=session
        )

    async def put_collaborator(
        self, collaborator: Collaborator, session: Session
    ) -> None:
        """Store a collaborator, or a known one's new state."""
        await self._collaborators.update_one(
            {
                "project_id": collaborator.project_id,
                "user_id": collaborator.user_id,
            },
            {
                "$set": {
                    "role": collaborator.role.value,
                    "added_by": collaborator.added_by,
                    "added_at": collaborator.added_at,
                }
            },
            upsert=True,
            session=session,
        )

    async def remove_collaborator(
        self, project_id: ProjectId, user_id: UserId, session: Session
    ) -> None:
        """Erase a collaborator; unknown ones are no error."""
        await self._collaborators.delete_one(
            {"project_id": project_id, "user_id": user_id}, session=session
        )

    def _state(self, project: Project) -> Document:
        return {
            "revision": project.revision,
            "name": self._seal(project.name, project, "name"),
            "description": self._seal(project.description, project, "description"),
            "is_archived": project.is_archived,
            "updated_at": project.updated_at,
        }

    def _seal(self, text: str, project: Project, field: str) -> Document:
        sealed = self._sealer.seal(text, "project", project.project_id, field)
        return {"k": sealed.key_id, "c": sealed.ciphertext}

    def _open(self, document: Mapping[str, Any], field: str) -> str:
        stored = document[field]
        sealed = Sealed(key_id=stored["k"], ciphertext=bytes(stored["c"]))
        return self._sealer.open(sealed, "project", document["_id"], field)

    def _project(self, document: Mapping[str, Any]) -> Project:
        return Project(
            project_id=document["_id"],
            name=self._open(document, "name"),
            description=self._open(document, "description"),
            revision=document["revision"],
            is_archived=document["is_archived"],
            created_at=document["created_at"].replace(tzinfo=UTC),
            updated_at=document["updated_at"].replace(tzinfo=UTC),
        )


class MongoUserDirectory:
    """`UserDirectory` on MongoDB; one document a user, one field a fact."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._users = database["users"]

    async def is_active(self, user_id: UserId, session: Session = None) -> bool:
        """Tell whether a user is verified, not suspended and not deleted."""
        user = await self._users.find_one({"_id": user_id}, session=session)
        if user is None or user.get("is_deleted", False):
            return False
        is_verified: bool = user.get("is_verified", False)
        return is_verified and not user.get("is_suspended", False)

    async def verify(self, user_id: UserId, session: Session) -> None:
        """Note that a user's account became active."""
        await self._note(user_id, {"is_verified": True}, session)

    async def suspend(
        self, user_id: UserId, revision: int, session: Session, *, is_suspended: bool
    ) -> None:
        """Note a suspension or its end; the highest revision wins."""
        is_newer = {"$gt": [revision, {"$ifNull": ["$suspension_revision", 0]}]}
        newest = {
            "is_suspended": {"$cond": [is_newer, is_suspended, "$is_suspended"]},
            "suspension_revision": {
                "$cond": [is_newer, revision, "$suspension_revision"]
            },
        }
        await self._users.update_one(
            {"_id": user_id}, [{"$set": newest}], upsert=True, session=session
        )

    async def delete(self, user_id: UserId, session: Session) -> None:
        """Note for ever that a user is gone."""
        await self._note(user_id, {"is_deleted": True}, session)

    async def _note(self, user_id: UserId, facts: Document, session: Session) -> None:
        await self._users.update_one(
            {"_id": user_id}, {"$set": facts}, upsert=True, session=session
        )


def _collaborator(document: Mapping[str, Any]) -> Collaborator:
    return Collaborator(
        project_id=document["project_id"],
        user_id=document["user_id"],
        role=Role(document["role"]),
        added_by=document["added_by"],
        added_at=document["added_at"].replace(tzinfo=UTC),
    )
