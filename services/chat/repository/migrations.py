"""Changes of what is stored, in their order; each runs once, in resumable steps."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from services.chat.ports import Session
from services.chat.repository.documents import OWN_REVISION
from services.chat.repository.own_stream import RevisionIssuer

Database = AsyncDatabase[dict[str, Any]]
BATCH = 500


@dataclass(frozen=True)
class Step:
    """What one step of a migration did.

    Attributes:
        cursor: Where the next step begins; None where all is done.
        changed: Documents changed.
    """

    cursor: str | None
    changed: int


@dataclass(frozen=True)
class Migration:
    """One change of what is stored.

    Attributes:
        migration_id: Never changes once released; the order is that of `MIGRATIONS`.
        collection: Whose documents are walked; its size is the progress's total.
        step: Changes one batch; called again with its own cursor, "" at first. A
            crash repeats at most the last batch, so a batch is idempotent.
    """

    migration_id: str
    collection: str
    step: Callable[[Database, str], Awaitable[Step]]


async def _date_data_keys(database: Database, cursor: str) -> Step:
    """Say of data keys from before their rotation since when they seal."""
    conversations = database["conversations"]
    found = conversations.find({"_id": {"$gt": cursor}}, {"_id": 1}, limit=BATCH)
    ids = [document["_id"] for document in await found.sort("_id", 1).to_list()]
    if not ids:
        return Step(None, 0)
    age = {"made_at": "$created_at", "from_revision": 0}
    dated = {"$map": {"input": "$keys", "in": {"$mergeObjects": [age, "$$this"]}}}
    result = await conversations.update_many(
        {"_id": {"$in": ids}, "keys": {"$elemMatch": {"made_at": {"$exists": False}}}},
        [{"$set": {"keys": dated}}],
    )
    return Step(ids[-1] if len(ids) == BATCH else None, result.modified_count)


async def _follows_into_own_streams(database: Database, cursor: str) -> Step:
    """Bring follows of threads into their users' own streams, each by a revision."""
    follows, issuer = database["thread_follows"], RevisionIssuer(database)
    query = {"_id": {"$gt": cursor}, OWN_REVISION: {"$exists": False}}
    found = follows.find(query, {"user_id": 1}, limit=BATCH).sort("_id", 1)
    documents = await found.to_list()

    async def stamp(document: dict[str, Any], session: Session) -> int:
        revision = await issuer.issue(document["user_id"], session=session)
        unstamped = {"_id": document["_id"], OWN_REVISION: {"$exists": False}}
        result = await follows.update_one(
            unstamped, {"$set": {OWN_REVISION: revision}}, session=session
        )
        if result.modified_count != 1:  # its user was faster: no revision is issued
            await session.abort_transaction()
        return result.modified_count

    changed = 0
    async with database.client.start_session() as session:
        for document in documents:
            changed += await session.with_transaction(partial(stamp, document))
    return Step(documents[-1]["_id"] if documents else None, changed)


MIGRATIONS: tuple[Migration, ...] = (
    Migration("0001-date-data-keys", "conversations", _date_data_keys),
    Migration(
        "0002-follows-into-own-streams", "thread_follows", _follows_into_own_streams
    ),
)
"""Appended to only: what was released stays as it is, in its place."""
