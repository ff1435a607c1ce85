"""Sealed fields: private text inside an event or a document."""

from libs.crypto.aead import DecryptError, additional_data, decrypt, encrypt
from libs.crypto.keyring import KeyRing
from libs.crypto.sealed import Sealed

_PURPOSE = "parley.field.1"


class FieldSealer:
    """Seals under the ring's current key, opens with the key a field names."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

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
        return Sealed(key_id, encrypt(self._ring.current_key, text.encode(), bound))

    def open(self, sealed: Sealed, *context: str) -> str:
        """Return the text that was sealed for this place.

        Raises:
            DecryptError: It was sealed for another place, or was altered.
            KeyUnknownError: The ring has no such key.
        """
        key = self._ring.key(sealed.key_id)
        bound = additional_data(_PURPOSE, sealed.key_id, *context)
        try:
            return decrypt(key, sealed.ciphertext, bound).decode()
        except UnicodeDecodeError:
            raise DecryptError("sealed bytes are no text") from None

    def needs_reseal(self, sealed: Sealed) -> bool:
        """Tell whether a field is under a key that is no longer current."""
        return sealed.key_id != self._ring.current_id
