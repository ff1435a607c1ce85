"""Does work that goes on after its commit, step by step."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import msgspec
import structlog

from libs.events import EventBus, Transaction
from libs.kernel import Clock
from services.chat.domain.job import Job
from services.chat.ports import JobStore, Work

LEASE = timedelta(seconds=60)
_log = structlog.get_logger()


class JobRunner:
    """Works on jobs, one at a time in each process.

    A job whose process died is taken over by another one after the lease, and goes on
    where its last step was saved.

    Args:
        bus: Opens the transaction that ends a job.
        jobs: Where they are kept.
        works: How each kind is done.
        clock: Gives the times.
        pause_seconds: Between two looks where nothing was to be done.
    """

    def __init__(
        self,
        bus: EventBus,
        jobs: JobStore,
        works: Sequence[Work],
        *,
        clock: Clock,
        pause_seconds: float = 1.0,
    ) -> None:
        self._bus = bus
        self._jobs = jobs
        self._works = {work.kind: work for work in works}
        self._clock = clock
        self._pause_seconds = pause_seconds

    async def run(self) -> None:
        """Work until cancelled; a failure passes, and the job waits for its lease."""
        while True:
            if not await self.run_one():
                await asyncio.sleep(self._pause_seconds)

    async def run_one(self) -> bool:
        """Do the job that waits longest to its end; tell whether there was one."""
        job = await self._jobs.claim(self._clock.now(), LEASE)
        if job is None:
            return False
        work = self._works[job.kind]
        while (step := await work.step(job)).cursor is not None:
            job = msgspec.structs.replace(
                job, cursor=step.cursor, done=job.done + step.done
            )
            await self._jobs.save(job, self._clock.now(), LEASE)
        done = msgspec.structs.replace(job, done=job.done + step.done)
        await self._finish(work, done)
        return True

    async def _finish(self, work: Work, job: Job) -> None:
        async def finish(transaction: Transaction) -> None:
            if await self._jobs.finish(job, session=transaction.session):
                work.conclude(transaction, job)

        await self._bus.run_transaction(finish)
        _log.info("job_finished", kind=job.kind, subject=job.subject, done=job.done)
