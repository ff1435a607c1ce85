"""Data keys of conversations, unwrapped, and when they are due to be renewed.

A data key is stored wrapped in its conversation; unwrapped keys live in a bounded
cache of this process and nowhere else. A conversation has a current key, which
seals, and older ones, which only open. Source: security.md CR-1, ADR 0013, 0019.
"""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from libs.crypto import DataKeys, DecryptError, WrappedKey
from libs.kernel import UnavailableError
from services.chat.domain.keys import key_context

Document = dict[str, Any]  # what BSON holds

DESTROYED = ""
"""Id of the current key of a conversation whose keys were destroyed."""

_log = structlog.get_logger()


class KeyDestroyedError(DecryptError):
    """The conversation's keys were destroyed: nothing of it opens ever again."""

    def __init__(self) -> None:
        super().__init__("the data key is destroyed")


class KeyNotLoadedError(UnavailableError):
    """The key left the cache meanwhile; reading the conversation brings it back."""

    def __init__(self) -> None:
        super().__init__("key_not_loaded", "The data key is not loaded; try again.")


@dataclass(frozen=True)
class RenewalLimits:
    """When a conversation gets another data key.

    Attributes:
        changes: Changes of the conversation under one key: each seals a text at most.
            NIST SP 800-38D section 8.3 allows 2^32 texts under random nonces.
        age: Of a key.
        retry: Time to the next try after one that failed; the old key goes on.
    """

    changes: int = 2**20
    age: timedelta = timedelta(days=90)
    retry: timedelta = timedelta(minutes=1)


class KeyChain:
    """The data keys of one conversation.

    Attributes:
        current_id: Of the key that seals.
        keys: By id; None is a stored one that does not unwrap.
        due_revision: The conversation's, from which on another key is due.
        due_at: Time from which on another key is due.
    """

    __slots__ = ("current_id", "due_at", "due_revision", "keys")

    def __init__(
        self,
        current_id: str,
        keys: dict[str, bytes | None],
        due_revision: int,
        due_at: datetime | None,
    ) -> None:
        self.current_id = current_id
        self.keys = keys
        self.due_revision = due_revision
        self.due_at = due_at


class KeyChains:
    """The unwrapped keys of this process, least recently used out first.

    Args:
        data_keys: Makes and unwraps data keys.
        limits: When a key is due to be renewed.
        capacity: Conversations whose keys are kept unwrapped.
    """

    def __init__(
        self, data_keys: DataKeys, limits: RenewalLimits, capacity: int
    ) -> None:
        self._data_keys = data_keys
        self._limits = limits
        self._capacity = capacity
        self._chains: OrderedDict[str, KeyChain] = OrderedDict()
        self._reading: dict[str, asyncio.Lock] = {}

    async def made(
        self, conversation_id: str, made_at: datetime, from_revision: int
    ) -> Document:
        """Make a data key; return its stored form, which nobody else knows of yet.

        Raises:
            UnavailableError: The key-encryption key is out of reach.
        """
        _, wrapped = await self._data_keys.generate(*key_context(conversation_id))
        # Random, not counted: a key whose transaction rolled back must never pass
        # for the one that another process then stored.
        return {
            "id": secrets.token_hex(6),
            "kek_id": wrapped.key_id,
            "wrapped": wrapped.wrapped,
            "made_at": made_at,
            "from_revision": from_revision,
        }

    def knows(self, conversation_id: str, key_ids: Iterable[str] = ()) -> bool:
        """Tell whether a conversation's keys are here, some of them in particular."""
        chain = self._chains.get(conversation_id)
        return chain is not None and all(key_id in chain.keys for key_id in key_ids)

    async def learn(self, document: Document) -> None:
        """Unwrap a stored conversation's keys, unless they are here already.

        One that was altered, or is another conversation's, opens nothing; the others
        go on. Destroyed ones leave this process too.

        Raises:
            KeyUnknownError: The key-encryption key is not there.
            UnavailableError: It is out of reach.
        """
        conversation_id = document["_id"]
        if self._is_learned(document):
            self._chains.move_to_end(conversation_id)
            return
        # One at a time: who asks meanwhile finds what the first one unwrapped.
        lock = self._reading.setdefault(conversation_id, asyncio.Lock())
        try:
            async with lock:
                if not self._is_learned(document):
                    await self._unwrap(document)
        finally:
            if not lock.locked():
                self._reading.pop(conversation_id, None)

    def forget(self, conversation_id: str) -> None:
        """Drop a conversation's unwrapped keys; reading it brings them back."""
        self._chains.pop(conversation_id, None)

    def is_due(self, conversation_id: str, revision: int, now: datetime) -> bool:
        """Tell whether a conversation that is known here needs another key."""
        chain = self._chains.get(conversation_id)
        if chain is None or chain.due_at is None:
            return False
        return revision >= chain.due_revision or now >= chain.due_at

    def put_off(self, conversation_id: str, now: datetime) -> None:
        """Try again later: the old key is good for 2^32 texts."""
        chain = self._chains.get(conversation_id)
        if chain is not None:
            chain.due_at = now + self._limits.retry
            chain.due_revision += self._limits.changes

    def sealing(self, conversation_id: str) -> tuple[str, bytes]:
        """Return id and bytes of the current key.

        Raises:
            KeyDestroyedError: The conversation was shredded.
            KeyNotLoadedError: Its keys are not here.
            DecryptError: The current key was altered.
        """
        chain = self._chain(conversation_id)
        return chain.current_id, self.opening(conversation_id, chain.current_id)

    def opening(self, conversation_id: str, key_id: str) -> bytes:
        """Return the bytes of a key; see `sealing`."""
        keys = self._chain(conversation_id).keys
        if key_id not in keys:
            raise KeyNotLoadedError
        key = keys[key_id]
        if key is None:
            raise DecryptError("a stored data key was altered")
        return key

    def _chain(self, conversation_id: str) -> KeyChain:
        chain = self._chains.get(conversation_id)
        if chain is None:
            raise KeyNotLoadedError
        self._chains.move_to_end(conversation_id)
        if chain.current_id == DESTROYED:
            raise KeyDestroyedError
        return chain

    def _is_learned(self, document: Document) -> bool:
        chain = self._chains.get(document["_id"])
        return chain is not None and chain.current_id == document["key_id"]

    async def _unwrap(self, document: Document) -> None:
        conversation_id, stored = document["_id"], document["keys"]
        known = self._chains.get(conversation_id)
        keys: dict[str, bytes | None] = {}
        for key in stored:
            here = known.keys.get(key["id"]) if known is not None else None
            keys[key["id"]] = here or await self._opened(conversation_id, key)
        self._chains[conversation_id] = self._dated(document["key_id"], keys, stored)
        self._chains.move_to_end(conversation_id)
        while len(self._chains) > self._capacity:
            self._chains.popitem(last=False)

    async def _opened(self, conversation_id: str, stored: Document) -> bytes | None:
        wrapped = WrappedKey(stored["kek_id"], stored["wrapped"])
        try:
            return await self._data_keys.unwrap(wrapped, *key_context(conversation_id))
        except DecryptError:
            _log.error("data_key_unreadable", conversation_id=conversation_id)
            return None

    def _dated(
        self,
        current_id: str,
        keys: dict[str, bytes | None],
        stored: Sequence[Document],
    ) -> KeyChain:
        for key in stored:
            if key["id"] == current_id and "made_at" in key:
                due_revision = key["from_revision"] + self._limits.changes
                due_at = key["made_at"] + self._limits.age
                return KeyChain(current_id, keys, due_revision, due_at)
        return KeyChain(current_id, keys, 0, None)  # destroyed, or not dated yet
