"""One change of a project, its event and its record, together or not at all."""

from dataclasses import dataclass, replace

from libs.chassis.audit import AuditEntry, AuditTrail
from libs.crypto.fields import FieldSealer
from libs.crypto.sealed import Sealed
from libs.events import Transaction
from libs.events.catalog.project import (
    ProjectArchived,
    ProjectCollaboratorAdded,
    ProjectCollaboratorRemoved,
    ProjectCreated,
    ProjectDeleted,
    ProjectRoleChanged,
    ProjectUpdated,
)
from libs.kernel import Clock, EventId, ProjectId, UserId, new_id
from services.project.domain import (
    Collaborator,
    CollaboratorNotFoundError,
    Project,
    ProjectNotFoundError,
    Role,
)
from services.project.ports import ProjectRepository, Session


@dataclass(frozen=True)
class ProjectLedger:
    """Reads what a use case decides on and records what it decided.

    Every ``record_...`` takes the project as read, writes the next revision in the
    caller's transaction, publishes its event and records it in the audit there. All
    raise `RevisionConflictError` if the project changed meanwhile, and
    `UnavailableError` if it cannot be recorded.

    Args:
        projects: Where they are kept.
        sealer: Seals names in events with the project-transport ring.
        audit: Keeps who did it.
        clock: UTC.
    """

    projects: ProjectRepository
    sealer: FieldSealer
    audit: AuditTrail
    clock: Clock

    async def enter(
        self, actor: UserId, project_id: ProjectId, session: Session = None
    ) -> tuple[Project, Collaborator]:
        """Return a project and the actor's place in it.

        Raises:
            ProjectNotFoundError: None, or the actor is not in it.
        """
        place = await self.projects.find_collaborator(project_id, actor, session)
        if place is None:
            raise ProjectNotFoundError
        project = await self.projects.find(project_id, session)
        if project is None:
            raise ProjectNotFoundError
        return project, place

    async def collaborator(
        self, project_id: ProjectId, user_id: UserId, session: Session
    ) -> Collaborator:
        """Return somebody's place in a project.

        Raises:
            CollaboratorNotFoundError: Not in the project.
        """
        place = await self.projects.find_collaborator(project_id, user_id, session)
        if place is None:
            raise CollaboratorNotFoundError
        return place

    async def record_creation(
        self, tx: Transaction, project: Project, owner: Collaborator
    ) -> None:
        """Store a new project with its owner. Emits: project.created."""
        await self.projects.add(project, owner, tx.session)
        event_id = EventId(new_id())
        event = ProjectCreated(
            project_id=project.project_id,
            revision=project.revision,
            owner_id=owner.user_id,
            name=self._seal_name(event_id, ProjectCreated.event_type, project),
        )
        tx.publish(event, event_id=event_id)
        await self._audit(tx, "project.created", owner.user_id, project)

    async def record_update(
        self, tx: Transaction, project: Project, actor: UserId
    ) -> Project:
        """Store a new name or description. Emits: project.updated."""
        project = await self._advance(tx, project)
        event_id = EventId(new_id())
        event = ProjectUpdated(
            project_id=project.project_id,
            revision=project.revision,
            name=self._seal_name(event_id, ProjectUpdated.event_type, project),
            updated_by=actor,
        )
        tx.publish(event, event_id=event_id)
        await self._audit(tx, "project.updated", actor, project)
        return project

    async def record_archiving(
        self, tx: Transaction, project: Project, actor: UserId
    ) -> Project:
        """Store a new archived state. Emits: project.archived."""
        project = await self._advance(tx, project)
        event = ProjectArchived(
            project_id=project.project_id,
            revision=project.revision,
            is_archived=project.is_archived,
            archived_by=actor,
        )
        tx.publish(event)
        done = "archived" if project.is_archived else "restored"
        await self._audit(tx, f"project.{done}", actor, project)
        return project

    async def record_deletion(
        self, tx: Transaction, project: Project, actor: UserId
    ) -> None:
        """Erase a project with its collaborators. Emits: project.deleted."""
        await self.projects.remove(project, tx.session)
        event = ProjectDeleted(
            project_id=project.project_id,
            revision=project.revision + 1,
            deleted_by=actor,
        )
        tx.publish(event)
        await self._audit(tx, "project.deleted", actor, project)

    async def record_addition(
        self, tx: Transaction, project: Project, added: Collaborator
    ) -> Project:
        """Store a new collaborator. Emits: project.collaborator_added."""
        project = await self._advance(tx, project)
        await self.projects.put_collaborator(added, tx.session)
        event = ProjectCollaboratorAdded(
            project_id=project.project_id,
            revision=project.revision,
            user_id=added.user_id,
            role=added.role.value,
            added_by=added.added_by,
        )
        tx.publish(event)
        await self._audit(
            tx,
            "project.collaborator_added",
            added.added_by,
            project,
            user_id=added.user_id,
            role=added.role.value,
        )
        return project

    async def record_role(
        self,
        tx: Transaction,
        project: Project,
        target: Collaborator,
        role: Role,
        actor: UserId,
    ) -> tuple[Project, Collaborator]:
        """Store a collaborator's new role. Emits: project.role_changed."""
        project = await self._advance(tx, project)
        changed = replace(target, role=role)
        await self.projects.put_collaborator(changed, tx.session)
        event = ProjectRoleChanged(
            project_id=project.project_id,
            revision=project.revision,
            user_id=changed.user_id,
            role=role.value,
            changed_by=actor,
        )
        tx.publish(event)
        await self._audit(
            tx,
            "project.role_changed",
            actor,
            project,
            user_id=changed.user_id,
            role=role.value,
            role_before=target.role.value,
        )
        return project, changed

    async def record_removal(
        self, tx: Transaction, project: Project, user_id: UserId, actor: UserId
    ) -> Project:
        """Erase a collaborator. Emits: project.collaborator_removed."""
        project = await self._advance(tx, project)
        await self.projects.remove_collaborator(project.project_id, user_id, tx.session)
        event = ProjectCollaboratorRemoved(
            project_id=project.project_id,
            revision=project.revision,
            user_id=user_id,
            removed_by=actor,
        )
        tx.publish(event)
        await self._audit(
            tx, "project.collaborator_removed", actor, project, user_id=user_id
        )
        return project

    async def _audit(
        self,
        tx: Transaction,
        action: str,
        actor: UserId,
        project: Project,
        **details: str,
    ) -> None:
        """Record what was done; names and descriptions are in no record."""
        entry = AuditEntry(
            action=action,
            actor_id=actor,
            target_id=details.get("user_id", project.project_id),
            details={"project_id": project.project_id, **details},
        )
        await self.audit.record(entry, tx.session)

    async def _advance(self, tx: Transaction, project: Project) -> Project:
        project = project.advanced(self.clock.now())
        await self.projects.save(project, tx.session)
        return project

    def _seal_name(
        self, event_id: EventId, event_type: str, project: Project
    ) -> Sealed:
        return self.sealer.seal(
            project.name, event_id, event_type, "name", project.project_id
        )
