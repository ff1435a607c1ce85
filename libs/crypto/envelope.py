"""Envelope encryption: data keys, wrapped by key-encryption keys.

Rotating the key-encryption key re-wraps data keys and touches no data; deleting a
wrapped key shreds all that it opens. A cache of unwrapped keys is the service's
matter. Source: ADR 0013, ADR 0019.
"""

import os

from libs.crypto.aead import KEY_BYTES, DecryptError
from libs.crypto.wrapping import KeyWrapper, WrappedKey


class DataKeys:
    """Makes and opens data keys of 32 bytes.

    Args:
        wrapper: Has the key-encryption keys.
    """

    def __init__(self, wrapper: KeyWrapper) -> None:
        self._wrapper = wrapper

    @property
    def current_id(self) -> str:
        """Id of the key-encryption key that new data keys are wrapped under."""
        return self._wrapper.current_id

    async def generate(self, *context: str) -> tuple[bytes, WrappedKey]:
        """Make a random data key.

        Args:
            context: What the key is for, for example ``("conversation", id)``; it
                opens for no other. It is no secret: a key service logs it.

        Returns:
            The key itself, never to be stored, and its wrapped form.

        Raises:
            UnavailableError: Who keeps the key-encryption key does not answer.
        """
        key = os.urandom(KEY_BYTES)
        return key, await self._wrapper.wrap(key, context)

    async def unwrap(self, wrapped: WrappedKey, *context: str) -> bytes:
        """Return the data key, also when an older key wrapped it.

        Raises:
            DecryptError: It was made for another context, or altered.
            KeyUnknownError: There is no such key-encryption key.
            UnavailableError: Who keeps the key-encryption key does not answer.
        """
        key = await self._wrapper.unwrap(wrapped, context)
        if len(key) != KEY_BYTES:
            raise DecryptError("a wrapped key has the wrong length")
        return key

    def needs_rewrap(self, wrapped: WrappedKey) -> bool:
        """Tell whether another key-encryption key is current by now."""
        return wrapped.key_id != self._wrapper.current_id

    async def rewrap(self, wrapped: WrappedKey, *context: str) -> WrappedKey:
        """Return the same data key under the current key; see `unwrap`."""
        key = await self.unwrap(wrapped, *context)
        return await self._wrapper.wrap(key, context)
