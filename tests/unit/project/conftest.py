"""Project's use cases over the in-memory adapters."""

from dataclasses import dataclass

import pytest

from libs.chassis.audit import MemoryAuditTrail
from libs.crypto import FieldSealer, KeyRing
from libs.events.memory import InMemoryBus
from libs.kernel import FrozenClock, ProjectId, UserId, new_id
from services.project.app import project_state
from services.project.domain import Role
from services.project.repository import MemoryProjectRepository, MemoryUserDirectory
from services.project.service import CollaboratorService, ProjectService


@dataclass
class Rig:
    """The use cases and everything below them."""

    projects: ProjectService
    collaborators: CollaboratorService
    users: MemoryUserDirectory
    bus: InMemoryBus
    transport: FieldSealer
    audit: MemoryAuditTrail
    clock: FrozenClock

    async def user(self) -> UserId:
        """Return a new active user."""
        user_id = UserId(new_id())
        await self.users.verify(user_id, None)
        return user_id

    async def project_with(self, *roles: Role) -> tuple[ProjectId, list[UserId]]:
        """Return a project and its owner followed by one user a role."""
        owner = await self.user()
        membership = await self.projects.create_project(owner, "Apollo", "")
        project_id = membership.project.project_id
        people = [owner]
        for role in roles:
            user_id = await self.user()
            await self.collaborators.add_collaborator(owner, project_id, user_id, role)
            people.append(user_id)
        self.bus.published.clear()
        return project_id, people


@pytest.fixture
def rig() -> Rig:
    """Everything in memory; the clock stands still."""
    clock = FrozenClock()
    bus = InMemoryBus("project", clock=clock)
    users = MemoryUserDirectory()
    transport = FieldSealer(KeyRing.generate())
    audit = MemoryAuditTrail()
    state = project_state(
        projects=MemoryProjectRepository(),
        users=users,
        bus=bus,
        transport=transport,
        audit=audit,
        clock=clock,
    )
    return Rig(
        projects=state["projects"],
        collaborators=state["collaborators"],
        users=users,
        bus=bus,
        transport=transport,
        audit=audit,
        clock=clock,
    )
