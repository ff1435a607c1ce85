"""Composition root of media."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

from fastapi import FastAPI

from libs.chassis.app import create_http_app
from libs.chassis.audit import AuditTrail, Refusals
from libs.chassis.audit.opening import open_audit
from libs.chassis.bus import bus_settings
from libs.chassis.health import Health, bus_check
from libs.chassis.mongo import open_mongo, ping
from libs.chassis.tasks import TaskSupervisor
from libs.crypto import FieldSealer, WatchedKeyRing
from libs.events import EventBus
from libs.events.rabbitmq import open_bus
from libs.kernel import Clock, SystemClock
from services.media.api import ROUTERS, MediaState
from services.media.consumers import worker
from services.media.ports import (
    AccessRepository,
    DocumentRepository,
    Lease,
    ObjectStore,
    PictureRenderer,
)
from services.media.renditions.child import ChildPictureRenderer
from services.media.repository import (
    MongoAccessRepository,
    MongoDocumentRepository,
    MongoLease,
)
from services.media.service import (
    AccessPolicy,
    DocumentService,
    PersonErasure,
    ProcessingService,
    SweepingService,
    SweepTimes,
    UploadPolicy,
    UploadService,
)
from services.media.settings import MediaSettings
from services.media.storage import S3Options, open_s3

_LEAST_LEASE = timedelta(minutes=1)


@dataclass(frozen=True)
class Adapters:
    """What the use cases stand on, open."""

    documents: DocumentRepository
    access: AccessRepository
    store: ObjectStore
    renderer: PictureRenderer
    bus: EventBus
    lease: Lease
    audit: AuditTrail
    clock: Clock
    folder: Path


@dataclass(frozen=True)
class Application:
    """The use cases; what event handlers find in their context."""

    access: AccessRepository
    uploads: UploadService
    documents: DocumentService
    erasure: PersonErasure
    processing: ProcessingService
    sweeping: SweepingService
    refusals: Refusals


def create_app(settings: MediaSettings) -> FastAPI:
    """Build media's HTTP app; its lifespan opens everything."""
    health = Health()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[MediaState]:
        async with AsyncExitStack() as stack:
            application = await _open(settings, health, stack)
            yield MediaState(
                uploads=application.uploads,
                documents=application.documents,
                refusals=application.refusals,
            )

    return create_http_app(
        settings,
        lifespan=lifespan,
        routers=ROUTERS,
        title="media",
        health=health,
    )


async def _open(
    settings: MediaSettings, health: Health, stack: AsyncExitStack
) -> Application:
    """Open what media needs, in the order in which it can be closed in reverse."""
    adapters = await _open_adapters(settings, health, stack)
    application = build_application(settings, adapters)
    tasks = await stack.enter_async_context(TaskSupervisor())
    every = timedelta(seconds=settings.sweep_seconds)
    tasks.start("sweep", partial(application.sweeping.sweep_forever, every))
    await stack.enter_async_context(adapters.bus.run_worker(worker, application))
    return application


async def _open_adapters(
    settings: MediaSettings, health: Health, stack: AsyncExitStack
) -> Adapters:
    sealer = FieldSealer(WatchedKeyRing(settings.storage_keys_file))
    folder = await stack.enter_async_context(_open_folder(settings))
    database = await stack.enter_async_context(open_mongo(settings))
    documents = MongoDocumentRepository(database, sealer)
    access = MongoAccessRepository(database)
    await documents.ensure_indexes()
    await access.ensure_indexes()
    store = await stack.enter_async_context(open_s3(_s3_options(settings)))
    audit = await open_audit(settings, database, stack)
    bus = await stack.enter_async_context(
        open_bus(bus_settings(settings), database, worker)
    )
    health.add("mongodb", partial(ping, database))
    health.add("rabbitmq", bus_check(bus), is_critical=False)
    health.add("s3", store.ping, is_critical=False)
    clock = SystemClock()
    return Adapters(
        documents=documents,
        access=access,
        store=store,
        renderer=ChildPictureRenderer(concurrency=settings.image_children),
        bus=bus,
        lease=MongoLease(database, holder=settings.instance_id, clock=clock),
        audit=audit,
        clock=clock,
        folder=folder,
    )


def build_application(settings: MediaSettings, adapters: Adapters) -> Application:
    """Put the use cases together over open adapters."""
    policy = AccessPolicy(adapters.access)
    processing = ProcessingService(
        adapters.documents,
        adapters.store,
        adapters.renderer,
        adapters.bus,
        audit=adapters.audit,
        folder=adapters.folder,
    )
    documents = _documents(settings, adapters, policy)
    return Application(
        access=adapters.access,
        uploads=_uploads(settings, adapters, policy),
        documents=documents,
        erasure=_erasure(adapters, documents),
        processing=processing,
        sweeping=SweepingService(
            adapters.documents,
            adapters.store,
            processing,
            adapters.lease,
            clock=adapters.clock,
            times=_sweep_times(settings),
        ),
        refusals=Refusals(adapters.audit, adapters.clock),
    )


def _erasure(adapters: Adapters, documents: DocumentService) -> PersonErasure:
    return PersonErasure(
        adapters.documents, documents, adapters.access, adapters.store, adapters.bus
    )


def _uploads(
    settings: MediaSettings, adapters: Adapters, policy: AccessPolicy
) -> UploadService:
    return UploadService(
        adapters.documents,
        adapters.store,
        policy,
        adapters.bus,
        audit=adapters.audit,
        clock=adapters.clock,
        policy=UploadPolicy(
            max_bytes=settings.max_document_bytes,
            ticket_lifetime=timedelta(seconds=settings.upload_seconds),
        ),
    )


def _documents(
    settings: MediaSettings, adapters: Adapters, policy: AccessPolicy
) -> DocumentService:
    return DocumentService(
        adapters.documents,
        adapters.store,
        policy,
        adapters.bus,
        audit=adapters.audit,
        clock=adapters.clock,
        link_lifetime=timedelta(seconds=settings.download_seconds),
    )


def _sweep_times(settings: MediaSettings) -> SweepTimes:
    every = timedelta(seconds=settings.sweep_seconds)
    return SweepTimes(
        abandoned_after=timedelta(hours=settings.abandoned_hours),
        lease_duration=max(_LEAST_LEASE, 2 * every),
    )


def _s3_options(settings: MediaSettings) -> S3Options:
    return S3Options(
        endpoint_url=settings.s3_endpoint_url,
        public_url=settings.s3_public_url,
        bucket=settings.s3_bucket,
        region=settings.s3_region,
        credentials_file=settings.s3_credentials_file,
        threads=settings.s3_threads,
    )


@asynccontextmanager
async def _open_folder(settings: MediaSettings) -> AsyncIterator[Path]:
    """Make this instance's folder for files under check, empty, for nobody else."""
    folder = settings.data_dir / f"checks-{settings.instance_id}"
    await asyncio.to_thread(_make_empty, folder)
    try:
        yield folder
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _make_empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
