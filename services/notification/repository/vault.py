"""Seals what is private in a document, and finds it again without opening it."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

import structlog

from libs.crypto.aead import DecryptError
from libs.crypto.fields import FieldSealer
from libs.crypto.keyring import KeyRing, KeyUnknownError
from libs.crypto.sealed import Sealed

log = structlog.get_logger()

_BLIND_PURPOSE = b"parley.notification.blind-index.1"


class Vault:
    """Sealed fields and blind indexes under the service's storage key ring."""

    def __init__(self, ring: KeyRing) -> None:
        self._sealer = FieldSealer(ring)
        self._ring = ring

    def seal(self, text: str, *context: str) -> dict[str, Any]:
        """Return the document form of a sealed text; `context` names its place."""
        sealed = self._sealer.seal(text, *context)
        return {"k": sealed.key_id, "c": sealed.ciphertext}

    def open(self, document: Mapping[str, Any] | None, *context: str) -> str | None:
        """Return a text, or None where there is none or it cannot be read any more.

        A lost key must cost its own text only, not the batch it is read in.
        """
        if document is None:
            return None
        sealed = Sealed(document["k"], bytes(document["c"]))
        try:
            return self._sealer.open(sealed, *context)
        except (DecryptError, KeyUnknownError):
            log.exception("field_unreadable", key_id=sealed.key_id, place=context[0])
            return None

    def blind(self, text: str, purpose: str) -> str:
        """Return a keyed hash under the current key."""
        return self.blinds(text, purpose)[0]

    def blinds(self, text: str, purpose: str) -> list[str]:
        """Return the keyed hashes under every key: what it may be stored under."""
        message = f"{purpose}\x00{text}".encode()
        return [
            hmac.new(key, message, hashlib.sha256).hexdigest()
            for key in self._blind_keys()
        ]

    def _blind_keys(self) -> list[bytes]:
        """Return a key for hashing of each of the ring's, the current one first.

        One of its own for each purpose: the ring's key encrypts, this one hashes.
        """
        current_id = self._ring.current_id
        others = [key_id for key_id in self._ring.key_ids if key_id != current_id]
        return [
            hmac.digest(self._ring.key(key_id), _BLIND_PURPOSE, "sha256")
            for key_id in (current_id, *others)
        ]
