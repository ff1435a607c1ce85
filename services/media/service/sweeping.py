"""Remove what clients and crashes left behind."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

import structlog

from libs.kernel import Clock
from services.media.domain import DocumentStatus
from services.media.ports import DocumentRepository, Lease, Leftover, ObjectStore
from services.media.service.processing import ProcessingService

log = structlog.get_logger()

_PAGE = 100
_SETTLED = (DocumentStatus.READY, DocumentStatus.REJECTED, DocumentStatus.DELETED)
_TICKET_MARGIN = timedelta(minutes=1)
"""Clocks differ: a ticket may work a moment longer than our clock says."""


@dataclass(frozen=True, slots=True)
class SweepReport:
    """What one sweep did.

    Attributes:
        cleared: Documents whose quarantine object was removed.
        abandoned: Uploads that never came and were forgotten.
        stalled: Documents whose checks never came to an end; rejected.
    """

    cleared: int = 0
    abandoned: int = 0
    stalled: int = 0


@dataclass(frozen=True, slots=True)
class SweepTimes:
    """How long things may lie about.

    Attributes:
        abandoned_after: Age at which an upload that did not come, or checks that did
            not end, are given up.
        lease_duration: Of the duty; longer than the time between two sweeps.
    """

    abandoned_after: timedelta
    lease_duration: timedelta


class SweepingService:
    """The periodic duty; one process of all does it at a time."""

    def __init__(
        self,
        documents: DocumentRepository,
        store: ObjectStore,
        processing: ProcessingService,
        lease: Lease,
        *,
        clock: Clock,
        times: SweepTimes,
    ) -> None:
        self._documents = documents
        self._store = store
        self._processing = processing
        self._lease = lease
        self._clock = clock
        self._times = times

    async def sweep(self) -> SweepReport | None:
        """Do the duty once, in pages.

        Returns:
            What was done; None while another process holds the lease.

        Raises:
            UnavailableError: Store or database do not answer; the rest waits.

        Emits: media.rejected, for documents whose checks never ended.
        """
        if not await self._lease.acquire("sweep", duration=self._times.lease_duration):
            return None
        report = SweepReport(
            cleared=await self._clear_settled(),
            abandoned=await self._forget_abandoned(),
            stalled=await self._reject_stalled(),
        )
        if report != SweepReport():
            log.info(
                "quarantine_swept",
                cleared=report.cleared,
                abandoned=report.abandoned,
                stalled=report.stalled,
            )
        return report

    async def sweep_forever(self, every: timedelta) -> None:
        """Sweep again and again; raises what `sweep` raises."""
        while True:
            await self.sweep()
            await asyncio.sleep(every.total_seconds())

    async def _clear_settled(self) -> int:
        before = self._clock.now() - _TICKET_MARGIN
        count = 0
        while page := await self._documents.uncleared(
            _SETTLED, before=before, limit=_PAGE
        ):
            await self._store.delete([item.quarantine_key for item in page])
            for leftover in page:
                await self._documents.mark_quarantine_cleared(leftover.document_id)
            count += len(page)
        return count

    async def _forget_abandoned(self) -> int:
        count = 0
        while page := await self._older(DocumentStatus.UPLOADING):
            # Objects first: without its row an object would never be found again.
            await self._store.delete([item.quarantine_key for item in page])
            for leftover in page:
                await self._documents.remove(
                    leftover.document_id, expected=DocumentStatus.UPLOADING
                )
            count += len(page)
        return count

    async def _reject_stalled(self) -> int:
        """Give up on checks that never ended; one page a sweep, they are rare."""
        count = 0
        for leftover in await self._older(DocumentStatus.PROCESSING):
            document = await self._documents.get(leftover.document_id)
            if document and document.status is DocumentStatus.PROCESSING:
                await self._processing.reject(document, "checks_failed")
                count += 1
        return count

    async def _older(self, status: DocumentStatus) -> list[Leftover]:
        before = self._clock.now() - self._times.abandoned_after
        return await self._documents.uncleared([status], before=before, limit=_PAGE)
