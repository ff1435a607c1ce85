"""Data keys where they are stored: in their conversations."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import structlog
from prometheus_client import Counter
from pymongo.asynchronous.database import AsyncDatabase

from libs.chassis.mongo import map_mongo_errors
from libs.kernel import AppError
from services.chat.repository.vault import ConversationVault

_KEYS = {"key_id": 1, "keys": 1}
_log = structlog.get_logger()
_RENEWED = Counter("chat_data_keys_renewed_total", "Data keys replaced by newer ones")
_PUT_OFF = Counter(
    "chat_data_keys_put_off_total", "Renewals of data keys that failed, to be repeated"
)


class StoredKeys:
    """Loads the data keys that documents need, and renews those that are due."""

    def __init__(
        self, database: AsyncDatabase[dict[str, Any]], vault: ConversationVault
    ) -> None:
        self._conversations = database["conversations"]
        self._vault = vault

    async def load(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """Have the keys at hand of what is sealed in some messages.

        Args:
            documents: With ``conversation_id`` and, if anything, ``body``.

        Raises:
            UnavailableError: The database or the key-encryption key is out of reach.
        """
        wanted: dict[str, set[str]] = {}
        for document in documents:
            body = document.get("body")
            if body is not None:
                wanted.setdefault(document["conversation_id"], set()).add(body["k"])
        missing = [
            conversation_id
            for conversation_id, key_ids in wanted.items()
            if not self._vault.knows(conversation_id, key_ids)
        ]
        if missing:
            await self._learn(missing)

    async def renew(self, conversation_id: str, revision: int, now: datetime) -> None:
        """Give a conversation another data key; the older ones go on opening.

        Stored before it seals anything, and outside of the batch's transaction: one
        that rolls back never takes a key along that something is sealed under. Two
        processes at once give it one new key.
        """
        try:
            old_id, key = await self._vault.renewal(conversation_id, revision, now)
            with map_mongo_errors():
                result = await self._conversations.update_one(
                    {"_id": conversation_id, "key_id": old_id},
                    {"$push": {"keys": key}, "$set": {"key_id": key["id"]}},
                )
            await self._learn([conversation_id])
        except AppError as error:
            self._vault.put_off(conversation_id, now)
            _PUT_OFF.inc()
            _log.warning("data_key_renewal_put_off", code=error.code)
            return
        if result.modified_count:
            _RENEWED.inc()
            _log.info("data_key_renewed", conversation_id=conversation_id)

    async def _learn(self, conversation_ids: list[str]) -> None:
        with map_mongo_errors():
            documents = await self._conversations.find(
                {"_id": {"$in": conversation_ids}}, _KEYS
            ).to_list()
        await self._vault.learn(*documents)
