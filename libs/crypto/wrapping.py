"""Who wraps data keys: a key ring from a file, or a service that keeps its keys.

A wrapper knows several key-encryption keys; one of them is current and wraps, the
others only unwrap, until everything under them is wrapped anew. Source: ADR 0019.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from libs.crypto.aead import additional_data, decrypt, encrypt
from libs.crypto.keyring import KeyRing, KeyUnknownError

_PURPOSE = "parley.data-key.1"


class WrappedKey(msgspec.Struct, frozen=True):
    """A data key as it is stored.

    Attributes:
        key_id: Of the key-encryption key: a rotation id of a ring, or an ARN.
        wrapped: Opaque; 60 bytes under a ring: nonce, encrypted data key, tag.
    """

    key_id: str
    wrapped: bytes


class KeyWrapper(Protocol):
    """Wraps and unwraps data keys under key-encryption keys."""

    @property
    def current_id(self) -> str:
        """Id of the key-encryption key that wraps."""
        ...

    def holds(self, key_id: str) -> bool:
        """Tell whether this wrapper is the one to ask for a key-encryption key."""
        ...

    async def wrap(self, key: bytes, context: Sequence[str]) -> WrappedKey:
        """Wrap a data key for a context under the current key-encryption key.

        Raises:
            UnavailableError: Who keeps the keys does not answer, or refuses.
        """
        ...

    async def unwrap(self, wrapped: WrappedKey, context: Sequence[str]) -> bytes:
        """Return what was wrapped for the same context.

        Raises:
            DecryptError: It was wrapped for another context, or altered.
            KeyUnknownError: There is no such key-encryption key, or no longer.
            UnavailableError: Who keeps the keys does not answer, or refuses.
        """
        ...


class FileKeyWrapper:
    """Wraps under the keys of a ring; computes, and waits for nobody."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    @property
    def current_id(self) -> str:
        """Id of the ring's current key."""
        return self._ring.current_id

    def holds(self, key_id: str) -> bool:
        """Tell whether the key is on the ring."""
        try:
            self._ring.key(key_id)
        except KeyUnknownError:
            return False
        return True

    async def wrap(self, key: bytes, context: Sequence[str]) -> WrappedKey:
        """Wrap under the ring's current key."""
        key_id = self._ring.current_id
        bound = additional_data(_PURPOSE, key_id, *context)
        return WrappedKey(key_id, encrypt(self._ring.key(key_id), key, bound))

    async def unwrap(self, wrapped: WrappedKey, context: Sequence[str]) -> bytes:
        """Unwrap with the key that the wrapped one names."""
        key_encryption_key = self._ring.key(wrapped.key_id)
        bound = additional_data(_PURPOSE, wrapped.key_id, *context)
        return decrypt(key_encryption_key, wrapped.wrapped, bound)


class JoinedKeyWrapper:
    """One wrapper that wraps, and others that still unwrap: how a provider changes.

    Args:
        current: Wraps everything from now on.
        older: Asked for the keys that `current` does not hold.
    """

    def __init__(self, current: KeyWrapper, *older: KeyWrapper) -> None:
        self._current = current
        self._all = (current, *older)

    @property
    def current_id(self) -> str:
        """Id of the current wrapper's current key."""
        return self._current.current_id

    def holds(self, key_id: str) -> bool:
        """Tell whether one of the wrappers holds the key."""
        return any(wrapper.holds(key_id) for wrapper in self._all)

    async def wrap(self, key: bytes, context: Sequence[str]) -> WrappedKey:
        """Wrap with the current wrapper."""
        return await self._current.wrap(key, context)

    async def unwrap(self, wrapped: WrappedKey, context: Sequence[str]) -> bytes:
        """Unwrap with the first wrapper that holds the key."""
        for wrapper in self._all:
            if wrapper.holds(wrapped.key_id):
                return await wrapper.unwrap(wrapped, context)
        raise KeyUnknownError(wrapped.key_id)
