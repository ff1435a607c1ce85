"""``project.events``: projects and their collaborators; emitted by project.

Names and descriptions are sealed with the project-transport ring. ``revision``
counts the durable changes of the project from 1, without a gap.
"""

from libs.crypto.sealed import Sealed
from libs.events.event import Event


class ProjectCreated(Event, type="project.created", version=1, key="project_id"):
    """A project was opened; its owner is its first collaborator."""

    project_id: str
    revision: int
    owner_id: str
    name: Sealed


class ProjectUpdated(Event, type="project.updated", version=1, key="project_id"):
    """Its name or description changed."""

    project_id: str
    revision: int
    name: Sealed
    updated_by: str


class ProjectArchived(Event, type="project.archived", version=1, key="project_id"):
    """It was archived (read-only), or brought back."""

    project_id: str
    revision: int
    is_archived: bool
    archived_by: str


class ProjectDeleted(Event, type="project.deleted", version=1, key="project_id"):
    """It is gone, and what belongs to it goes too."""

    project_id: str
    revision: int
    deleted_by: str


class ProjectCollaboratorAdded(
    Event, type="project.collaborator_added", version=1, key="project_id"
):
    """Somebody joined, with a role: owner, admin or collaborator."""

    project_id: str
    revision: int
    user_id: str
    role: str
    added_by: str


class ProjectCollaboratorRemoved(
    Event, type="project.collaborator_removed", version=1, key="project_id"
):
    """Somebody left or was removed."""

    project_id: str
    revision: int
    user_id: str
    removed_by: str


class ProjectRoleChanged(
    Event, type="project.role_changed", version=1, key="project_id"
):
    """A collaborator's role changed."""

    project_id: str
    revision: int
    user_id: str
    role: str
    changed_by: str
