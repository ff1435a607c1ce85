"""A sealer over memory."""

import pytest

from libs.chassis.audit import AuditKeys, AuditSealer, PendingRecord
from libs.chassis.audit.memory import MemoryChainStore
from libs.crypto import KeyRing
from libs.kernel import FrozenClock


class Lease:
    """A lease that a test gives and takes."""

    def __init__(self):
        self.epoch = 0
        self.is_held = False
        self.is_free = True
        self.released = 0

    async def acquire(self):
        """Take it if the test lets it."""
        if self.is_free and not self.is_held:
            self.epoch += 1
        self.is_held = self.is_free
        return self.is_held

    async def release(self):
        """Count."""
        self.released += 1
        self.is_held = False


class Sink:
    """A second place that a test breaks."""

    def __init__(self):
        self.kept = []
        self.is_broken = False

    async def append(self, checkpoint):
        """Keep it, unless broken."""
        if self.is_broken:
            raise OSError("full")
        self.kept.append(checkpoint)

    async def last(self):
        """Return the newest."""
        return self.kept[-1] if self.kept else None


class Sealed:
    """A sealer and all around it."""

    def __init__(self):
        self.store = MemoryChainStore()
        self.keys = AuditKeys(KeyRing.generate())
        self.sink, self.lease, self.clock = Sink(), Lease(), FrozenClock()
        self.sealer = self.another()

    def another(self):
        """Return one more sealer over the same stores, as after a restart."""
        return AuditSealer(
            "auth",
            store=self.store,
            keys=self.keys,
            sink=self.sink,
            lease=self.lease,
            clock=self.clock,
        )

    def add(self, *record_ids):
        """Let records wait."""
        for record_id in record_ids:
            self.store.waiting[record_id] = PendingRecord(record_id, f"h{record_id}")


@pytest.fixture
def sealed():
    """A sealer over memory."""
    return Sealed()
