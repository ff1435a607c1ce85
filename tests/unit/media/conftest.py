"""Media with nothing outside of the process: memory adapters and the memory bus."""

from dataclasses import dataclass

import pytest

from libs.chassis.audit import MemoryAuditTrail
from libs.events.memory import InMemoryBus
from libs.kernel import FrozenClock, UnavailableError
from services.media.app import Adapters, build_application
from services.media.consumers import worker
from services.media.domain import FileRejectedError, Rendition
from services.media.ports import RenderedPicture
from services.media.repository import (
    MemoryAccessRepository,
    MemoryDocumentRepository,
    MemoryLease,
)
from services.media.settings import MediaSettings
from services.media.storage import MemoryObjectStore

MAX_BYTES = 1_000


class MemoryPictureRenderer:
    """The `PictureRenderer` that decodes nothing; it says what it is told to.

    Attributes:
        reason: Why it refuses the next images; None: it takes them.
        is_down: It does not get to an end.
    """

    def __init__(self):
        self.reason = None
        self.is_down = False

    async def render(self, source, target):
        """Return the same bytes and a thumbnail of three."""
        if self.is_down:
            raise UnavailableError("image_child_timed_out", "Not in time.")
        if self.reason:
            raise FileRejectedError(self.reason)
        (target / "content").write_bytes(source.read_bytes() + b"clean")
        (target / "thumbnail").write_bytes(b"123")
        made = Rendition("thumbnail", "image/webp", 3, 320, 240)
        files = ((made, target / "thumbnail"),)
        return RenderedPicture(target / "content", 800, 600, files)


@dataclass
class Media:
    """The application and what it stands on."""

    uploads: object
    documents: object
    erasure: object
    processing: object
    sweeping: object
    access: MemoryAccessRepository
    repository: MemoryDocumentRepository
    store: MemoryObjectStore
    renderer: MemoryPictureRenderer
    bus: InMemoryBus
    clock: FrozenClock
    lease: MemoryLease
    audit: MemoryAuditTrail


@pytest.fixture
def settings(tmp_path):
    """Settings that no server needs to be behind."""
    url = "http://127.0.0.1:1"
    return MediaSettings(
        public_url=url,
        internal_jwks_file=tmp_path / "internal-jwks.json",
        data_dir=tmp_path,
        mongo_url="mongodb://127.0.0.1:1",
        amqp_url="amqp://127.0.0.1:1",
        storage_keys_file=tmp_path / "keys.json",
        audit_keys_file=tmp_path / "audit-keys.json",
        s3_endpoint_url=url,
        s3_public_url=url,
        s3_credentials_file=tmp_path / "s3.json",
        max_document_bytes=MAX_BYTES,
    )


@pytest.fixture
def idle_media(settings, tmp_path):
    """Media whose event handlers do not run."""
    clock = FrozenClock()
    adapters = Adapters(
        documents=MemoryDocumentRepository(),
        access=MemoryAccessRepository(),
        store=MemoryObjectStore(),
        renderer=MemoryPictureRenderer(),
        bus=InMemoryBus("media", clock=clock),
        lease=MemoryLease(holder="this", clock=clock),
        audit=MemoryAuditTrail(),
        clock=clock,
        folder=tmp_path,
    )
    application = build_application(settings, adapters)
    return Media(
        uploads=application.uploads,
        documents=application.documents,
        erasure=application.erasure,
        processing=application.processing,
        sweeping=application.sweeping,
        access=adapters.access,
        repository=adapters.documents,
        store=adapters.store,
        renderer=adapters.renderer,
        bus=adapters.bus,
        clock=clock,
        lease=adapters.lease,
        audit=adapters.audit,
    )


@pytest.fixture
async def media(idle_media):
    """Media whose event handlers run."""
    async with idle_media.bus.run_worker(worker, idle_media):
        yield idle_media
        await idle_media.bus.settled()
