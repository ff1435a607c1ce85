"""How a mail address rests: sealed for reading, keyed HMAC for finding."""

from typing import Any

from libs.crypto import FieldSealer, KeyRing, Sealed
from libs.kernel import UserId
from services.auth.domain import BlindIndex, EmailAddress


class EmailVault:
    """Seals addresses under the storage ring and makes their index values."""

    def __init__(self, ring: KeyRing) -> None:
        self._sealer = FieldSealer(ring)
        keys = {key_id: ring.key(key_id) for key_id in ring.key_ids}
        self._index = BlindIndex(current_id=ring.current_id, keys=keys, purpose="email")

    def fields(self, user_id: UserId, email: EmailAddress) -> dict[str, Any]:
        """Return the document fields of an address."""
        sealed = self._sealer.seal(email.written, "user", user_id, "email")
        return {
            "email": {"k": sealed.key_id, "c": sealed.ciphertext},
            "email_index": self._index.value(email.key),
        }

    def condition(self, email: EmailAddress) -> dict[str, Any]:
        """Return the query that finds an address under any key of the ring."""
        return {"email_index": {"$in": list(self._index.candidates(email.key))}}

    def open(self, document: dict[str, Any]) -> EmailAddress:
        """Read the address of a user document.

        Raises:
            DecryptError: The field was altered or belongs to another user.
        """
        field = document["email"]
        sealed = Sealed(key_id=field["k"], ciphertext=bytes(field["c"]))
        written = self._sealer.open(sealed, "user", document["_id"], "email")
        return EmailAddress(written=written, key=written.lower())
