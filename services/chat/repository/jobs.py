"""Jobs in MongoDB."""

from datetime import datetime, timedelta
from typing import Any

from pymongo import ReturnDocument
from pymongo.asynchronous.database import AsyncDatabase

from libs.chassis.mongo import map_mongo_errors
from services.chat.domain.job import Job, JobKind
from services.chat.ports import Session
from services.chat.repository.documents import Document


class MongoJobStore:
    """Implements `JobStore`; a job is worked on until ``due_at``."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._jobs = database["jobs"]

    async def add(self, job: Job, *, session: Session) -> None:
        """Store a job; one that is there goes on as it is."""
        document = {
            "kind": job.kind.value,
            "subject": job.subject,
            "created_at": job.created_at,
            "due_at": job.created_at,
            "cursor": job.cursor,
            "done": job.done,
        }
        await self._jobs.update_one(
            {"_id": job.job_id},
            {"$setOnInsert": document},
            upsert=True,
            session=session,
        )

    async def claim(self, now: datetime, lease: timedelta) -> Job | None:
        """Take the job that waits longest and nobody works on, or None."""
        with map_mongo_errors():
            document = await self._jobs.find_one_and_update(
                {"due_at": {"$lte": now}},
                {"$set": {"due_at": now + lease}},
                sort=[("due_at", 1)],
                return_document=ReturnDocument.AFTER,
            )
        return None if document is None else _job_of(document)

    async def save(self, job: Job, now: datetime, lease: timedelta) -> None:
        """Store how far a job is, and keep it."""
        changed = {"cursor": job.cursor, "done": job.done, "due_at": now + lease}
        with map_mongo_errors():
            await self._jobs.update_one({"_id": job.job_id}, {"$set": changed})

    async def finish(self, job: Job, *, session: Session) -> bool:
        """Forget a job that is done; tell whether it was there."""
        result = await self._jobs.delete_one({"_id": job.job_id}, session=session)
        return result.deleted_count == 1


def _job_of(document: Document) -> Job:
    return Job(
        kind=JobKind(document["kind"]),
        subject=document["subject"],
        created_at=document["created_at"],
        cursor=document["cursor"],
        done=document["done"],
    )
