"""What conversations keep private, sealed under their data keys.

Source: security.md CR-2, ADR 0013.
"""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from libs.crypto import DataKeys, DecryptError, additional_data, decrypt, encrypt
from services.chat.repository.key_chains import (
    DESTROYED,
    KeyChains,
    KeyDestroyedError,
    KeyNotLoadedError,
    RenewalLimits,
)

__all__ = [
    "DESTROYED",
    "ConversationVault",
    "KeyDestroyedError",
    "KeyNotLoadedError",
    "MessagePlace",
    "RenewalLimits",
]

Document = dict[str, Any]  # what BSON holds

_FIRST_BODY = "parley.chat.body.1"
_BODY = "parley.chat.body.2"
_BODY_FORMAT = 2
_DEFAULT_LIMITS = RenewalLimits()


class MessagePlace(NamedTuple):
    """What a message's content is bound to.

    Attributes:
        version: Edits before it: the content of another version does not open.
    """

    conversation_id: str
    message_id: str
    sender_id: str
    version: int


class ConversationVault:
    """Seals and opens what conversations keep private.

    Args:
        data_keys: Makes and unwraps data keys.
        limits: When a conversation gets another data key.
        capacity: Conversations whose keys are kept unwrapped.
    """

    def __init__(
        self,
        data_keys: DataKeys,
        *,
        limits: RenewalLimits = _DEFAULT_LIMITS,
        capacity: int = 20_000,
    ) -> None:
        self._chains = KeyChains(data_keys, limits, capacity)

    async def create(self, conversation_id: str, made_at: datetime) -> Document:
        """Make the first data key of a conversation; return its stored form.

        Raises:
            UnavailableError: The key-encryption key is out of reach.
        """
        key = await self._chains.made(conversation_id, made_at, 0)
        stored = {"key_id": key["id"], "keys": [key]}
        await self._chains.learn({"_id": conversation_id, **stored})
        return stored

    async def renewal(
        self, conversation_id: str, revision: int, made_at: datetime
    ) -> tuple[str, Document]:
        """Make another data key; it seals once the stored conversation has it.

        Returns:
            Id of the key that it replaces, and its stored form.
        """
        old_id, _ = self._chains.sealing(conversation_id)
        return old_id, await self._chains.made(conversation_id, made_at, revision)

    def is_due(self, conversation_id: str, revision: int, now: datetime) -> bool:
        """Tell whether another data key is due; a comparison, nothing more."""
        return self._chains.is_due(conversation_id, revision, now)

    def put_off(self, conversation_id: str, now: datetime) -> None:
        """Go on with the old key for a while: a new one could not be had."""
        self._chains.put_off(conversation_id, now)

    def knows(self, conversation_id: str, key_ids: Iterable[str] = ()) -> bool:
        """Tell whether a conversation's keys are here, some of them in particular."""
        return self._chains.knows(conversation_id, key_ids)

    def opens(self, conversation_id: str, key_id: str) -> bool:
        """Tell whether a data key that is here was unwrapped."""
        try:
            self._chains.opening(conversation_id, key_id)
        except DecryptError:
            return False
        return True

    async def learn(self, *documents: Document) -> None:
        """Unwrap the keys of stored conversations, side by side; see `KeyChains`.

        Raises:
            KeyUnknownError: A key-encryption key is not there.
            UnavailableError: One is out of reach.
        """
        if len(documents) == 1:
            await self._chains.learn(documents[0])
        elif documents:
            await asyncio.gather(*map(self._chains.learn, documents))

    def forget(self, conversation_id: str) -> None:
        """Drop a conversation's unwrapped keys; reading it brings them back."""
        self._chains.forget(conversation_id)

    def seal_body(self, place: MessagePlace, content: str) -> Document:
        """Seal a message's content, bound to conversation, message, sender, version.

        Raises:
            KeyDestroyedError: The conversation was shredded.
        """
        sealed = self.seal_text(_BODY, (*place[:3], str(place.version)), content)
        return {"f": _BODY_FORMAT, **sealed}

    def open_body(self, place: MessagePlace, body: Document) -> str:
        """Open a message's content, of the present format or the first one.

        The first format did not bind the version; what is stored in it stays readable
        and is sealed in the present one by its next change.

        Raises:
            DecryptError: It was altered, or belongs elsewhere.
        """
        if body.get("f") == _BODY_FORMAT:
            return self.open_text(_BODY, (*place[:3], str(place.version)), body)
        return self.open_text(_FIRST_BODY, place[:3], body)

    def seal_field(
        self, name: str, conversation_id: str, text: str | None
    ) -> Document | None:
        """Seal a private field of a conversation, bound to both."""
        if text is None:
            return None
        return self.seal_text(_field(name), (conversation_id,), text)

    def open_field(
        self, name: str, conversation_id: str, sealed: Document | None
    ) -> str | None:
        """Open a private field of a conversation.

        Raises:
            DecryptError: It was altered, or belongs elsewhere.
        """
        if sealed is None:
            return None
        return self.open_text(_field(name), (conversation_id,), sealed)

    def seal_text(self, purpose: str, place: Sequence[str], text: str) -> Document:
        """Seal a text under the current data key of its conversation.

        Args:
            purpose: Constant of what it is; nothing sealed for one opens as another.
            place: What it belongs to, the conversation's id first.
            text: What is private.

        Raises:
            KeyNotLoadedError: The keys are not here; see `StoredKeys.load`.
            KeyDestroyedError: The conversation was shredded.
        """
        key_id, key = self._chains.sealing(place[0])
        bound = additional_data(purpose, *place, key_id)
        return {"k": key_id, "c": encrypt(key, text.encode(), bound)}

    def open_text(self, purpose: str, place: Sequence[str], sealed: Document) -> str:
        """Open what `seal_text` sealed.

        Raises:
            KeyNotLoadedError: The keys are not here.
            DecryptError: It was altered, or belongs elsewhere.
        """
        key = self._chains.opening(place[0], sealed["k"])
        bound = additional_data(purpose, *place, sealed["k"])
        return decrypt(key, sealed["c"], bound).decode()


def _field(name: str) -> str:
    return f"parley.chat.{name}.1"
