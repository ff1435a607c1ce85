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
from libs.chassis.health import Health
from libs.chassis.mongo import open_mongo, ping
from libs.chassis.tasks import TaskSupervisor
from libs.crypto import FieldSealer, KeyRing
from libs.events import BusSettings, EventBus
from libs.events.rabbitmq import open_bus
from libs.kernel import SystemClock
from services.media.api import MediaState, router
from services.media.consumers import worker
from services.media.ports import (
    AccessRepository,
    DocumentRepository,
    Lease,
    ObjectStore,
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
    ProcessingService,
    SweepingService,
    UploadPolicy,
    UploadService,
)
from services.media.settings import MediaSettings
from services.media.storage import S3Options, open_s3

_LEAST_LEASE = timedelta(minutes=1)


@dataclass(frozen=True)
class Application:
    """The use cases; what event handlers find in their context."""

    access: AccessRepository
    uploads: UploadService
    documents: DocumentService
    processing: ProcessingService
    sweeping: SweepingService


def create_app(settings: MediaSettings) -> FastAPI:
    """Build media's HTTP app; its lifespan opens everything."""
    health = Health()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[MediaState]:
        async with AsyncExitStack() as stack:
            application = await _open(settings, health, stack)
            yield MediaState(
                uploads=application.uploads, documents=application.documents
            )

    return create_http_app(
        settings, lifespan=lifespan, routers=[router], title="media", health=health
    )


async def _open(
    settings: MediaSettings, health: Health, stack: AsyncExitStack
) -> Application:
    """Open what media needs, in the order in which it can be closed in reverse."""
    sealer = FieldSealer(KeyRing.from_file(settings.storage_keys_file))
    folder = await stack.enter_async_context(_open_folder(settings))
    database = await stack.enter_async_context(open_mongo(settings))
    documents = MongoDocumentRepository(database, sealer)
    access = MongoAccessRepository(database)
    await documents.ensure_indexes()
    await access.ensure_indexes()
    store = await stack.enter_async_context(open_s3(_s3_options(settings)))
    bus_settings = BusSettings(
        service="media",
        instance_id=settings.instance_id,
        amqp_url=settings.amqp_url.get_secret_value(),
    )
    bus = await stack.enter_async_context(open_bus(bus_settings, database, worker))
    health.add("mongodb", partial(ping, database))
    health.add("rabbitmq", bus.check, is_critical=False)
    health.add("s3", store.ping, is_critical=False)
    lease = MongoLease(database, holder=settings.instance_id, clock=SystemClock())
    application = build_application(
        settings,
        documents=documents,
        access=access,
        store=store,
        bus=bus,
        lease=lease,
        folder=folder,
    )
    tasks = await stack.enter_async_context(TaskSupervisor())
    every = timedelta(seconds=settings.sweep_seconds)
    tasks.start("sweep", partial(application.sweeping.sweep_forever, every))
    await stack.enter_async_context(bus.run_worker(worker, application))
    return application


def build_application(
    settings: MediaSettings,
    *,
    documents: DocumentRepository,
    access: AccessRepository,
    store: ObjectStore,
    bus: EventBus,
    lease: Lease,
    folder: Path,
) -> Application:
    """Put the use cases together over open adapters."""
    clock = SystemClock()
    policy = AccessPolicy(access)
    processing = ProcessingService(
        documents,
        store,
        ChildPictureRenderer(concurrency=settings.image_children),
        bus,
        folder=folder,
    )
    return Application(
        access=access,
        uploads=UploadService(
            documents,
            store,
            policy,
            bus,
            clock=clock,
            policy=UploadPolicy(
                max_bytes=settings.max_document_bytes,
                ticket_lifetime=timedelta(seconds=settings.upload_seconds),
            ),
        ),
        documents=DocumentService(
            documents,
            store,
            policy,
            bus,
            clock=clock,
            link_lifetime=timedelta(seconds=settings.download_seconds),
        ),
        processing=processing,
        sweeping=SweepingService(
            documents,
            store,
            processing,
            lease,
            clock=clock,
            abandoned_after=timedelta(hours=settings.abandoned_hours),
            lease_duration=max(
                _LEAST_LEASE, 2 * timedelta(seconds=settings.sweep_seconds)
            ),
        ),
    )


def _s3_options(settings: MediaSettings) -> S3Options:
    return S3Options(
        endpoint_url=settings.s3_endpoint_url,
        public_url=settings.s3_public_url,
        bucket=settings.s3_bucket,
        region=settings.s3_region,
        access_key=settings.s3_access_key.get_secret_value(),
        secret_key=settings.s3_secret_key.get_secret_value(),
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
