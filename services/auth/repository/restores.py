"""Restores in MongoDB, and the sign-ins that came back with them."""

from datetime import datetime
from typing import Any

from pymongo import DESCENDING
from pymongo.asynchronous.database import AsyncDatabase

from libs.chassis.mongo import driver_errors
from services.auth.domain import RevokeReason
from services.auth.ports import DatabaseSession, EndedByRestore, Restore

_WAITING = ("tokens", "pending_sign_ins", "passkey_challenges", "oidc_flows")


class MongoRestoreRepository:
    """Collection ``restores``, written by ``libs.backup``: a document a restore."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._database = database
        self._restores = database["restores"]

    async def unhandled(self) -> Restore | None:
        """Return the newest restore that nobody has dealt with."""
        with driver_errors(None):
            document = await self._restores.find_one(
                {"is_handled": False}, sort=[("restored_at", DESCENDING)]
            )
        if document is None:
            return None
        return Restore(document["_id"], document["restored_at"])

    async def end_sign_ins(self, restore: Restore, at: datetime) -> EndedByRestore:
        """End what came from the backup; see `RestoreRepository.end_sign_ins`."""
        old = {"revoked_at": None, "created_at": {"$lt": restore.restored_at}}
        end = {"revoked_at": at}
        reason = {"revoke_reason": RevokeReason.RESTORED.value}
        with driver_errors(None):
            tokens = await self._database["personal_tokens"].update_many(
                old, {"$set": end}
            )
            for name in _WAITING:
                await self._database[name].delete_many({})
            sessions = await self._database["sessions"].update_many(
                old, {"$set": end | reason}
            )
        return EndedByRestore(sessions.modified_count, tokens.modified_count)

    async def note_handled(self, restore: Restore, session: DatabaseSession) -> None:
        """Note that it, and every one before it, is dealt with."""
        until = {"restored_at": {"$lte": restore.restored_at}}
        with driver_errors(session):
            await self._restores.update_many(
                until, {"$set": {"is_handled": True}}, session=session
            )
