"""Data keys of conversations, and what is sealed under them.

A data key is stored wrapped in its conversation; unwrapped keys live in a bounded
cache of this process and nowhere else. Source: security.md CR-1, CR-2, ADR 0013.
"""

import secrets
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from libs.crypto import (
    DataKeys,
    DecryptError,
    WrappedKey,
    additional_data,
    decrypt,
    encrypt,
)
from libs.kernel import UnavailableError
from services.chat.domain.message import decode_body, encode_body

Document = dict[str, Any]  # what BSON holds

_BODY = "parley.chat.body.1"


DESTROYED = ""
"""Id of the current key of a conversation whose keys were destroyed."""


class KeyDestroyedError(DecryptError):
    """The conversation's keys were destroyed: nothing of it opens ever again."""

    def __init__(self) -> None:
        super().__init__("the data key is destroyed")


class KeyNotLoadedError(UnavailableError):
    """The key left the cache meanwhile; reading the conversation brings it back."""

    def __init__(self) -> None:
        super().__init__("key_not_loaded", "The data key is not loaded; try again.")


class KeyChain:
    """The data keys of one conversation; the current one seals."""

    __slots__ = ("current_id", "keys")

    def __init__(self, current_id: str, keys: Mapping[str, bytes]) -> None:
        self.current_id = current_id
        self.keys = keys


class ConversationVault:
    """Seals and opens what conversations keep private.

    Args:
        data_keys: Makes and unwraps data keys.
        capacity: Conversations whose keys are kept unwrapped.
    """

    def __init__(self, data_keys: DataKeys, *, capacity: int = 20_000) -> None:
        self._data_keys = data_keys
        self._capacity = capacity
        self._chains: OrderedDict[str, KeyChain] = OrderedDict()

    def create(self, conversation_id: str) -> Document:
        """Make the first data key of a conversation; return its stored form."""
        key, wrapped = self._data_keys.generate("conversation", conversation_id)
        # Random, not counted: a key whose transaction rolled back must never pass
        # for the one that another process then stored.
        key_id = secrets.token_hex(6)
        self._remember(conversation_id, KeyChain(key_id, {key_id: key}))
        stored = {"id": key_id, "kek_id": wrapped.key_id, "wrapped": wrapped.wrapped}
        return {"key_id": key_id, "keys": [stored]}

    def knows(self, conversation_id: str) -> bool:
        """Tell whether the keys are here already."""
        return conversation_id in self._chains

    def learn(
        self, conversation_id: str, current_id: str, keys: Sequence[Document]
    ) -> None:
        """Unwrap a conversation's stored keys, unless they are here already.

        Destroyed ones leave this process too.

        Raises:
            DecryptError: A wrapped key was altered, or is another conversation's.
            KeyUnknownError: The key-encryption key is not on the ring.
        """
        chain = self._chains.get(conversation_id)
        if chain is not None and chain.current_id == current_id:
            self._chains.move_to_end(conversation_id)
            return
        unwrapped = {
            key["id"]: self._data_keys.unwrap(
                WrappedKey(key["kek_id"], key["wrapped"]),
                "conversation",
                conversation_id,
            )
            for key in keys
        }
        self._remember(conversation_id, KeyChain(current_id, unwrapped))

    def forget(self, conversation_id: str) -> None:
        """Drop a conversation's unwrapped keys; reading it brings them back."""
        self._chains.pop(conversation_id, None)

    def seal_body(
        self, conversation_id: str, message_id: str, sender_id: str, text: str
    ) -> Document:
        """Seal a message's body, bound to conversation, message and sender.

        Raises:
            KeyDestroyedError: The conversation was shredded.
        """
        chain = self._chain(conversation_id)
        key_id = chain.current_id
        bound = additional_data(_BODY, conversation_id, message_id, sender_id, key_id)
        sealed = encrypt(chain.keys[key_id], encode_body(text).encode(), bound)
        return {"k": key_id, "c": sealed}

    def open_body(
        self, conversation_id: str, message_id: str, sender_id: str, body: Document
    ) -> str:
        """Open a message's body.

        Raises:
            DecryptError: It was altered, or belongs elsewhere.
        """
        key_id = body["k"]
        bound = additional_data(_BODY, conversation_id, message_id, sender_id, key_id)
        key = self._key(conversation_id, key_id)
        return decode_body(decrypt(key, body["c"], bound).decode())

    def seal_field(
        self, name: str, conversation_id: str, text: str | None
    ) -> Document | None:
        """Seal a private field of a conversation, bound to both."""
        if text is None:
            return None
        chain = self._chain(conversation_id)
        bound = _bound_field(name, conversation_id, chain.current_id)
        sealed = encrypt(chain.keys[chain.current_id], text.encode(), bound)
        return {"k": chain.current_id, "c": sealed}

    def open_field(
        self, name: str, conversation_id: str, sealed: Document | None
    ) -> str | None:
        """Open a private field of a conversation.

        Raises:
            DecryptError: It was altered, or belongs elsewhere.
        """
        if sealed is None:
            return None
        bound = _bound_field(name, conversation_id, sealed["k"])
        key = self._key(conversation_id, sealed["k"])
        return decrypt(key, sealed["c"], bound).decode()

    def _chain(self, conversation_id: str) -> KeyChain:
        chain = self._chains.get(conversation_id)
        if chain is None:
            raise KeyNotLoadedError
        self._chains.move_to_end(conversation_id)
        if chain.current_id == DESTROYED:
            raise KeyDestroyedError
        return chain

    def _key(self, conversation_id: str, key_id: str) -> bytes:
        key = self._chain(conversation_id).keys.get(key_id)
        if key is None:
            raise KeyNotLoadedError
        return key

    def _remember(self, conversation_id: str, chain: KeyChain) -> None:
        self._chains[conversation_id] = chain
        self._chains.move_to_end(conversation_id)
        while len(self._chains) > self._capacity:
            self._chains.popitem(last=False)


def _bound_field(name: str, conversation_id: str, key_id: str) -> bytes:
    return additional_data(f"parley.chat.{name}.1", conversation_id, key_id)
