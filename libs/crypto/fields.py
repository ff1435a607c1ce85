"""Sealed fields: private text inside an event or a document."""

from libs.crypto.aead import Cipher, DecryptError, additional_data
from libs.crypto.keyring import KeyRing
from libs.crypto.sealed import Sealed

_PURPOSE = "parley.field.1"


class FieldSealer:
    """Seals under the ring's current key, opens with the key a field names."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring
        self._ciphers: dict[bytes, Cipher] = {}

    def seal(self, text: str, *context: str) -> Sealed:
        """Encrypt a text and bind it to its place.

        Args:
            text: No lone surrogates.
            context: What names the place and does not change. For a field of an
                event exactly event id, event type, field name, subject.

        Returns:
            The key's id, and the ciphertext, 28 bytes longer than the UTF-8 text.
        """
        key_id = self._ring.current_id
        bound = additional_data(_PURPOSE, key_id, *context)
        return Sealed(key_id, self._cipher(key_id).encrypt(text.encode(), bound))

    def open(self, sealed: Sealed, *context: str) -> str:
        """Return the text that was sealed for this place.

        Raises:
            DecryptError: It was sealed for another place, or was altered.
            KeyUnknownError: The ring has no such key.
        """
        cipher = self._cipher(sealed.key_id)
        bound = additional_data(_PURPOSE, sealed.key_id, *context)
        try:
            return cipher.decrypt(sealed.ciphertext, bound).decode()
        except UnicodeDecodeError:
            raise DecryptError("sealed bytes are no text") from None

    def needs_reseal(self, sealed: Sealed) -> bool:
        """Tell whether a field is under a key that is no longer current."""
        return sealed.key_id != self._ring.current_id

    def _cipher(self, key_id: str) -> Cipher:
        """Return a key of the ring, ready to use.

        The ring is asked each time: what is under a key that was taken off it opens
        no more (SE-1).
        """
        key = self._ring.key(key_id)
        cipher = self._ciphers.get(key)
        if cipher is None:
            cipher = self._ciphers[key] = Cipher(key)
        return cipher
