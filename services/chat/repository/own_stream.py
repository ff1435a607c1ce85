"""The revisions of users' own streams, issued inside the caller's transaction."""

from collections.abc import Sequence
from typing import Any

from pymongo import ReturnDocument, UpdateOne
from pymongo.asynchronous.database import AsyncDatabase

from libs.kernel import UserId
from services.chat.ports import Session


class RevisionIssuer:
    """Counts one up for each change of what belongs to a user.

    The counter is a document a user: of two transactions that change it one waits
    for, or loses to, the other, so that revisions are issued without a gap and in
    the order of the commits. To be called early in a transaction that many users
    share: from then on the others wait.
    """

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._personal = database["personal"]

    async def issue(self, user_id: UserId, *, session: Session) -> int:
        """Return the next revision of one user."""
        document: Any = await self._personal.find_one_and_update(
            {"_id": user_id},
            {"$inc": {"revision": 1}},
            {"revision": 1},
            upsert=True,
            return_document=ReturnDocument.AFTER,
            session=session,
        )
        revision: int = document["revision"]
        return revision

    async def issue_many(
        self, user_ids: Sequence[UserId], *, session: Session
    ) -> dict[UserId, int]:
        """Return the next revision of each user: four statements, however many."""
        wanted = {"_id": {"$in": list(user_ids)}}
        counted = await self._personal.update_many(
            wanted, {"$inc": {"revision": 1}}, session=session
        )
        issued = await self._read(wanted, session)
        if counted.matched_count < len(set(user_ids)):
            new = [u for u in dict.fromkeys(user_ids) if u not in issued]
            await self._personal.bulk_write(
                [
                    UpdateOne({"_id": u}, {"$inc": {"revision": 1}}, upsert=True)
                    for u in new
                ],
                ordered=False,
                session=session,
            )
            issued |= await self._read({"_id": {"$in": new}}, session)
        return issued

    async def _read(self, query: dict[str, Any], session: Session) -> dict[UserId, int]:
        found = self._personal.find(query, {"revision": 1}, session=session)
        return {UserId(d["_id"]): d["revision"] for d in await found.to_list()}
