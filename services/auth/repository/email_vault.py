"""How a mail address rests: sealed for reading, keyed HMAC for finding."""

from typing import Any

from libs.crypto import FieldSealer, KeyRing, Sealed
from libs.kernel import UserId
from services.auth.domain import (
    BlindIndex,
    EmailAddress,
)
from services.auth.repository.blind_index import blind_index


class EmailVault:
    """Seals addresses under the storage ring and makes their index values."""

    def __init__(self, ring: KeyRing) -> None:
        self._sealer = FieldSealer(ring)
        self._ring = ring

    @property
    def _index(self) -> BlindIndex:
        """The index over the keys of now: the ring may follow its file (SE-1)."""
        return blind_index(self._ring, "email")

    def seal(self, email: EmailAddress, kind: str, owner_id: str) -> dict[str, Any]:
        """Return the document field of an address that is only to be read back.

        Args:
            email: The address.
            kind: Of the document that holds it.
            owner_id: That document's id; the field is bound to both.
        """
        sealed = self._sealer.seal(email.written, kind, owner_id, "email")
        return {"k": sealed.key_id, "c": sealed.ciphertext}

    def unseal(self, field: dict[str, Any], kind: str, owner_id: str) -> EmailAddress:
        """Read an address that `seal` made.

        Raises:
            DecryptError: The field was altered or belongs to another document.
        """
        sealed = Sealed(key_id=field["k"], ciphertext=bytes(field["c"]))
        written = self._sealer.open(sealed, kind, owner_id, "email")
        return EmailAddress(written=written, key=written.lower())

    def index_value(self, email: EmailAddress) -> str:
        """Return what an address is found by; see `condition`."""
        return self._index.value(email.key)

    def fields(self, user_id: UserId, email: EmailAddress) -> dict[str, Any]:
        """Return the document fields of an address.

        Where there is none, the unique index holds a value that no address has.
        """
        if email.is_absent:
            return {"email": None, "email_index": f"none:{user_id}"}
        return {
            "email": self.seal(email, "user", user_id),
            "email_index": self.index_value(email),
        }

    def condition(self, email: EmailAddress) -> dict[str, Any]:
        """Return the query that finds an address under any key of the ring."""
        return {"email_index": {"$in": list(self._index.candidates(email.key))}}

    def open(self, document: dict[str, Any]) -> EmailAddress:
        """Read the address of a user document.

        Raises:
            DecryptError: The field was altered or belongs to another user.
        """
        if document["email"] is None:
            return EmailAddress.absent()
        return self.unseal(document["email"], "user", document["_id"])
