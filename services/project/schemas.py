"""What goes over the wire: closed models with bounded fields."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.project.domain import (
    DESCRIPTION_MAX_CODE_POINTS,
    NAME_MAX_CODE_POINTS,
    Collaborator,
    Membership,
)

Name = Annotated[str, StringConstraints(min_length=1, max_length=NAME_MAX_CODE_POINTS)]
Description = Annotated[str, StringConstraints(max_length=DESCRIPTION_MAX_CODE_POINTS)]
IdText = Annotated[str, StringConstraints(min_length=36, max_length=36)]
RoleText = Literal["owner", "admin", "collaborator"]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Response(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CreateProjectRequest(_Request):
    """A new project."""

    name: Name
    description: Description = ""


class UpdateProjectRequest(_Request):
    """What changes; a field that is left out stays."""

    name: Name | None = None
    description: Description | None = None


class ArchiveProjectRequest(_Request):
    """Read-only, or open again."""

    is_archived: bool


class AddCollaboratorRequest(_Request):
    """Who comes in, and as what."""

    user_id: IdText
    role: RoleText = "collaborator"


class ChangeRoleRequest(_Request):
    """The new role."""

    role: RoleText


class ProjectResponse(_Response):
    """A project as the caller sees it."""

    project_id: str
    name: str
    description: str
    revision: int = Field(description="Counts the durable changes from 1.")
    is_archived: bool
    role: RoleText = Field(description="The caller's own.")
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, membership: Membership) -> "ProjectResponse":
        """Return the wire form of a membership."""
        project = membership.project
        return cls(
            project_id=project.project_id,
            name=project.name,
            description=project.description,
            revision=project.revision,
            is_archived=project.is_archived,
            role=membership.role.value,
            created_at=project.created_at,
            updated_at=project.updated_at,
        )


class CollaboratorResponse(_Response):
    """Somebody's place in a project."""

    user_id: str
    role: RoleText
    added_by: str
    added_at: datetime

    @classmethod
    def of(cls, collaborator: Collaborator) -> "CollaboratorResponse":
        """Return the wire form of a collaborator."""
        return cls(
            user_id=collaborator.user_id,
            role=collaborator.role.value,
            added_by=collaborator.added_by,
            added_at=collaborator.added_at,
        )
