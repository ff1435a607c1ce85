"""Composition root of project: everything is opened and put together here."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from libs.chassis.app import Lifespan, create_http_app
from libs.chassis.audit import AuditTrail, Refusals
from libs.chassis.audit.opening import open_audit
from libs.chassis.bus import bus_settings
from libs.chassis.health import Health, bus_check
from libs.chassis.mongo import open_mongo, ping
from libs.crypto import FieldSealer, WatchedKeyRing
from libs.events import EventBus
from libs.events.rabbitmq import open_bus
from libs.kernel import Clock, SystemClock
from services.project import api
from services.project.api import ProjectState
from services.project.consumers import worker
from services.project.ports import ProjectRepository, UserDirectory
from services.project.repository import MongoProjectRepository, MongoUserDirectory
from services.project.service import (
    CollaboratorService,
    ProjectLedger,
    ProjectService,
)
from services.project.settings import ProjectSettings


def create_app(settings: ProjectSettings) -> FastAPI:
    """Return the app; its lifespan opens what it needs."""
    health = Health()
    return create_http_app(
        settings,
        lifespan=_lifespan(settings, health),
        routers=api.ROUTERS,
        title="Parley project",
        health=health,
    )


def project_state(
    *,
    projects: ProjectRepository,
    users: UserDirectory,
    bus: EventBus,
    transport: FieldSealer,
    audit: AuditTrail,
    clock: Clock,
) -> ProjectState:
    """Put the use cases together over any adapters; opens nothing."""
    ledger = ProjectLedger(projects, transport, audit, clock)
    return ProjectState(
        projects=ProjectService(ledger, bus),
        collaborators=CollaboratorService(ledger, users, bus),
        refusals=Refusals(audit, clock),
    )


def _lifespan(settings: ProjectSettings, health: Health) -> Lifespan:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[ProjectState]:
        storage = FieldSealer(WatchedKeyRing(settings.storage_keys_file))
        transport = FieldSealer(WatchedKeyRing(settings.project_transport_keys_file))
        async with AsyncExitStack() as stack:
            database = await stack.enter_async_context(open_mongo(settings))
            health.add("mongodb", lambda: ping(database))
            projects = MongoProjectRepository(database, storage)
            await projects.create_indexes()
            audit = await open_audit(settings, database, stack)
            bus = await stack.enter_async_context(
                open_bus(bus_settings(settings), database, worker)
            )
            health.add("rabbitmq", bus_check(bus), is_critical=False)
            state = project_state(
                projects=projects,
                users=MongoUserDirectory(database),
                bus=bus,
                transport=transport,
                audit=audit,
                clock=SystemClock(),
            )
            await stack.enter_async_context(
                bus.run_worker(worker, state["collaborators"])
            )
            yield state

    return lifespan
