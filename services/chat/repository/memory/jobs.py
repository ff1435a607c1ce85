"""Jobs in memory."""

from datetime import datetime, timedelta

from services.chat.domain.job import Job
from services.chat.ports import Session


class MemoryJobs:
    """`JobStore` in a dictionary."""

    def __init__(self) -> None:
        self.jobs: dict[str, tuple[datetime, Job]] = {}

    async def add(self, job: Job, *, session: Session) -> None:
        """Store a job; one that is there goes on as it is."""
        del session
        self.jobs.setdefault(job.job_id, (job.created_at, job))

    async def claim(self, now: datetime, lease: timedelta) -> Job | None:
        """Take the job that waits longest and nobody works on, or None."""
        due = [(at, job) for at, job in self.jobs.values() if at <= now]
        if not due:
            return None
        _, job = min(due, key=lambda pair: pair[0])
        self.jobs[job.job_id] = (now + lease, job)
        return job

    async def save(self, job: Job, now: datetime, lease: timedelta) -> None:
        """Store how far a job is, and keep it."""
        if job.job_id in self.jobs:
            self.jobs[job.job_id] = (now + lease, job)

    async def finish(self, job: Job, *, session: Session) -> bool:
        """Forget a job that is done; tell whether it was there."""
        del session
        return self.jobs.pop(job.job_id, None) is not None
