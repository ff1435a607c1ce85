"""Envelope encryption: data keys, wrapped by a ring's key-encryption keys.

Rotating the ring re-wraps data keys and touches no data; deleting a wrapped key
shreds all that it opens. A cache of unwrapped keys is the service's matter.
Source: ADR 0013.
"""

import os

import msgspec

from libs.crypto.aead import KEY_BYTES, DecryptError, additional_data, decrypt, encrypt
from libs.crypto.keyring import KeyRing

_PURPOSE = "parley.data-key.1"


class WrappedKey(msgspec.Struct, frozen=True):
    """A data key as it is stored.

    Attributes:
        key_id: Rotation id of the key-encryption key.
        wrapped: 60 bytes: nonce, encrypted data key, tag.
    """

    key_id: str
    wrapped: bytes


class DataKeys:
    """Makes and opens data keys of 32 bytes."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    def generate(self, *context: str) -> tuple[bytes, WrappedKey]:
        """Make a random data key.

        Args:
            context: What the key is for, for example ``("conversation", id)``; it
                opens for no other.

        Returns:
            The key itself, never to be stored, and its wrapped form.
        """
        key = os.urandom(KEY_BYTES)
        return key, self._wrap(key, context)

    def unwrap(self, wrapped: WrappedKey, *context: str) -> bytes:
        """Return the data key, also when an older key wrapped it.

        Raises:
            DecryptError: It was made for another context, or altered.
            KeyUnknownError: The ring has no such key-encryption key.
        """
        key_encryption_key = self._ring.key(wrapped.key_id)
        bound = additional_data(_PURPOSE, wrapped.key_id, *context)
        key = decrypt(key_encryption_key, wrapped.wrapped, bound)
        if len(key) != KEY_BYTES:
            raise DecryptError("a wrapped key has the wrong length")
        return key

    def needs_rewrap(self, wrapped: WrappedKey) -> bool:
        """Tell whether the ring has rotated since the key was wrapped."""
        return wrapped.key_id != self._ring.current_id

    def rewrap(self, wrapped: WrappedKey, *context: str) -> WrappedKey:
        """Return the same data key under the ring's current key; see `unwrap`."""
        return self._wrap(self.unwrap(wrapped, *context), context)

    def _wrap(self, key: bytes, context: tuple[str, ...]) -> WrappedKey:
        key_id = self._ring.current_id
        bound = additional_data(_PURPOSE, key_id, *context)
        return WrappedKey(key_id, encrypt(self._ring.current_key, key, bound))
