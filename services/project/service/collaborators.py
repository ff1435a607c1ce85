"""Use cases of collaborators: list, add, change role, remove, erase a user."""

from dataclasses import dataclass

from libs.events import EventBus, Transaction
from libs.kernel import ProjectId, UserId
from services.project.domain import (
    Collaborator,
    CollaboratorExistsError,
    Role,
    UserNotFoundError,
    choose_successor,
    ensure_may_add,
    ensure_may_change_role,
    ensure_may_remove,
    ensure_open,
    ensure_owner_remains,
)
from services.project.ports import UserDirectory
from services.project.service.ledger import ProjectLedger

_CHUNK = 500


@dataclass(frozen=True)
class CollaboratorService:
    """Who works in a project.

    Args:
        ledger: Where projects are read and recorded.
        users: Who may be let in.
        bus: Transactions with events.
    """

    ledger: ProjectLedger
    users: UserDirectory
    bus: EventBus

    async def list_collaborators(
        self,
        actor: UserId,
        project_id: ProjectId,
        *,
        after: UserId | None,
        limit: int,
    ) -> list[Collaborator]:
        """Return a project's collaborators by user id, those after one.

        Raises:
            ProjectNotFoundError: None, or the actor is not in it.
        """
        await self.ledger.enter(actor, project_id)
        return await self.ledger.projects.list_collaborators(
            project_id, after=after, limit=limit
        )

    async def add_collaborator(
        self, actor: UserId, project_id: ProjectId, user_id: UserId, role: Role
    ) -> Collaborator:
        """Bring an active user in.

        Raises:
            ProjectNotFoundError: None, or the actor is not in it.
            NotPermittedError: Not a leader, or the role is above the actor's own.
            ProjectArchivedError: It is read-only.
            CollaboratorExistsError: In the project already.
            UserNotFoundError: Unknown, unverified, suspended or deleted.
            RevisionConflictError: It changed at the same time.

        Emits: project.collaborator_added.
        """

        async def change(tx: Transaction) -> Collaborator:
            project, place = await self.ledger.enter(actor, project_id, tx.session)
            ensure_may_add(place.role, role)
            ensure_open(project)
            if await self.ledger.projects.find_collaborator(
                project_id, user_id, tx.session
            ):
                raise CollaboratorExistsError
            if not await self.users.is_active(user_id, tx.session):
                raise UserNotFoundError
            now = self.ledger.clock.now()
            added = Collaborator(project_id, user_id, role, actor, now)
            await self.ledger.record_addition(tx, project, added)
            return added

        return await self.bus.run_transaction(change)

    async def change_role(
        self, actor: UserId, project_id: ProjectId, user_id: UserId, role: Role
    ) -> Collaborator:
        """Give a collaborator another role; idempotent.

        Raises:
            ProjectNotFoundError: None, or the actor is not in it.
            CollaboratorNotFoundError: The user is not in the project.
            NotPermittedError: The target is not below the actor, or the role above.
            ProjectArchivedError: It is read-only.
            LastOwnerError: Nobody would own it.
            RevisionConflictError: It changed at the same time.

        Emits: project.role_changed.
        """

        async def change(tx: Transaction) -> Collaborator:
            project, place = await self.ledger.enter(actor, project_id, tx.session)
            target = await self.ledger.collaborator(project_id, user_id, tx.session)
            ensure_may_change_role(place, target, role)
            ensure_open(project)
            if target.role is role:
                return target
            await self._ensure_owner_remains(tx, target, role)
            _, changed = await self.ledger.record_role(tx, project, target, role, actor)
            return changed

        return await self.bus.run_transaction(change)

    async def remove_collaborator(
        self, actor: UserId, project_id: ProjectId, user_id: UserId
    ) -> None:
        """Remove a collaborator, or leave; an archived project can be left too.

        Raises:
            ProjectNotFoundError: None, or the actor is not in it.
            CollaboratorNotFoundError: The user is not in the project.
            NotPermittedError: The target is not below the actor.
            LastOwnerError: Nobody would own it.
            RevisionConflictError: It changed at the same time.

        Emits: project.collaborator_removed.
        """

        async def change(tx: Transaction) -> None:
            project, place = await self.ledger.enter(actor, project_id, tx.session)
            target = await self.ledger.collaborator(project_id, user_id, tx.session)
            ensure_may_remove(place, target)
            await self._ensure_owner_remains(tx, target, None)
            await self.ledger.record_removal(tx, project, user_id, actor)

        await self.bus.run_transaction(change)

    async def erase_user(self, tx: Transaction, user_id: UserId) -> int:
        """Take a deleted user out of every project, in the caller's transaction.

        A project that has no other owner passes to its senior collaborator; one
        that has nobody else ends.

        Returns:
            How many projects changed or ended.

        Emits: project.role_changed, project.collaborator_removed, project.deleted.
        """
        await self.users.delete(user_id, tx.session)
        erased = 0
        while project_ids := await self.ledger.projects.list_projects_of(
            user_id, limit=_CHUNK, session=tx.session
        ):
            for project_id in project_ids:
                await self._erase_from(tx, project_id, user_id)
            erased += len(project_ids)
        return erased

    async def _erase_from(
        self, tx: Transaction, project_id: ProjectId, user_id: UserId
    ) -> None:
        project, place = await self.ledger.enter(user_id, project_id, tx.session)
        owners = await self.ledger.projects.count_owners(project_id, tx.session)
        if place.role is Role.OWNER and owners == 1:
            everyone = await self.ledger.projects.list_collaborators(
                project_id, after=None, limit=_CHUNK, session=tx.session
            )
            heir = choose_successor([c for c in everyone if c.user_id != user_id])
            if heir is None:
                await self.ledger.record_deletion(tx, project, user_id)
                return
            project, _ = await self.ledger.record_role(
                tx, project, heir, Role.OWNER, user_id
            )
        await self.ledger.record_removal(tx, project, user_id, user_id)

    async def _ensure_owner_remains(
        self, tx: Transaction, target: Collaborator, new_role: Role | None
    ) -> None:
        owners = await self.ledger.projects.count_owners(target.project_id, tx.session)
        ensure_owner_remains(target, owners, new_role=new_role)
