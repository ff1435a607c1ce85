"""Use cases of projects: open, read, change, archive, delete."""

from dataclasses import dataclass, replace

from libs.events import EventBus, Transaction
from libs.kernel import ProjectId, UserId, new_id
from services.project.domain import (
    Action,
    Collaborator,
    Membership,
    Project,
    Role,
    clean_description,
    clean_name,
    ensure_open,
    ensure_permitted,
)
from services.project.service.ledger import ProjectLedger


@dataclass(frozen=True)
class ProjectService:
    """Projects as their collaborators use them.

    Args:
        ledger: Where they are read and recorded.
        bus: Transactions with events.
    """

    ledger: ProjectLedger
    bus: EventBus

    async def create_project(
        self, actor: UserId, name: str, description: str
    ) -> Membership:
        """Open a project; the actor owns it.

        Raises:
            TextInvalidError: Name or description break the rules.

        Emits: project.created.
        """
        now = self.ledger.clock.now()
        project = Project(
            project_id=ProjectId(new_id()),
            name=clean_name(name),
            description=clean_description(description),
            revision=1,
            is_archived=False,
            created_at=now,
            updated_at=now,
        )
        owner = Collaborator(project.project_id, actor, Role.OWNER, actor, now)

        async def change(tx: Transaction) -> Membership:
            await self.ledger.record_creation(tx, project, owner)
            return Membership(project, Role.OWNER)

        return await self.bus.run_transaction(change)

    async def list_projects(
        self, actor: UserId, *, before: ProjectId | None, limit: int
    ) -> list[Membership]:
        """Return the actor's projects, newest first, those before an id."""
        return await self.ledger.projects.list_memberships(
            actor, before=before, limit=limit
        )

    async def get_project(self, actor: UserId, project_id: ProjectId) -> Membership:
        """Return one project as the actor sees it.

        Raises:
            ProjectNotFoundError: None, or the actor is not in it.
        """
        project, place = await self.ledger.enter(actor, project_id)
        return Membership(project, place.role)

    async def update_project(
        self,
        actor: UserId,
        project_id: ProjectId,
        *,
        name: str | None,
        description: str | None,
    ) -> Membership:
        """Change name, description or both; None leaves one as it is.

        What changes nothing emits nothing.

        Raises:
            ProjectNotFoundError: None, or the actor is not in it.
            NotPermittedError: Only owners and admins may.
            ProjectArchivedError: It is read-only.
            TextInvalidError: Name or description break the rules.
            RevisionConflictError: It changed at the same time.

        Emits: project.updated.
        """
        new_name = None if name is None else clean_name(name)
        new_text = None if description is None else clean_description(description)

        async def change(tx: Transaction) -> Membership:
            project, place = await self.ledger.enter(actor, project_id, tx.session)
            ensure_permitted(place.role, Action.UPDATE)
            ensure_open(project)
            wanted = replace(
                project,
                name=project.name if new_name is None else new_name,
                description=project.description if new_text is None else new_text,
            )
            if wanted != project:
                wanted = await self.ledger.record_update(tx, wanted, actor)
            return Membership(wanted, place.role)

        return await self.bus.run_transaction(change)

    async def archive_project(
        self, actor: UserId, project_id: ProjectId, *, is_archived: bool
    ) -> Membership:
        """Make a project read-only, or bring it back; idempotent.

        Raises:
            ProjectNotFoundError: None, or the actor is not in it.
            NotPermittedError: Only owners and admins may.
            RevisionConflictError: It changed at the same time.

        Emits: project.archived.
        """

        async def change(tx: Transaction) -> Membership:
            project, place = await self.ledger.enter(actor, project_id, tx.session)
            ensure_permitted(place.role, Action.ARCHIVE)
            if project.is_archived != is_archived:
                wanted = replace(project, is_archived=is_archived)
                project = await self.ledger.record_archiving(tx, wanted, actor)
            return Membership(project, place.role)

        return await self.bus.run_transaction(change)

    async def delete_project(self, actor: UserId, project_id: ProjectId) -> None:
        """Erase a project and its collaborators.

        Raises:
            ProjectNotFoundError: None, or the actor is not in it.
            NotPermittedError: Only owners may.
            RevisionConflictError: It changed at the same time.

        Emits: project.deleted.
        """

        async def change(tx: Transaction) -> None:
            project, place = await self.ledger.enter(actor, project_id, tx.session)
            ensure_permitted(place.role, Action.DELETE)
            await self.ledger.record_deletion(tx, project, actor)

        await self.bus.run_transaction(change)
