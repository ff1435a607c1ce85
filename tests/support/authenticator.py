"""An authenticator in software: real attestations and signatures (ES256).

It does what a security key does, and on request what an attacker would have it do:
another origin, another relying party, an unchecked holder, a counter that stands still.
"""

import hashlib
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

_PRESENT, _VERIFIED, _ATTESTED = 0x01, 0x04, 0x40


def encode(raw: bytes) -> str:
    """Return base64url without padding."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """Read base64url without padding."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Authenticator:
    """One key for one account.

    Attributes:
        origin: Of the page that asks.
        rp_id: Relying party that it signs for; the options' if None.
        verifies_user: Whether it checks its holder.
        is_discoverable: Whether it keeps whom the key is of; so says the browser.
        count: Uses; grows by `step` each time.
        noise: Stands in the place of the public key, if any.
    """

    origin: str
    rp_id: str | None = None
    verifies_user: bool = True
    is_discoverable: bool = True
    count: int = 0
    step: int = 1
    cross_origin: bool = False
    noise: bytes = b""
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    user_handle: bytes = b""
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def create(self, options: dict) -> dict:
        """Answer ``navigator.credentials.create``."""
        self.user_handle = decode(options["user"]["id"])
        attested = (
            bytes(16)
            + len(self.credential_id).to_bytes(2, "big")
            + self.credential_id
            + (self.noise or cbor2.dumps(self._public_key()))
        )
        rp_id = self.rp_id or options["rp"]["id"]
        data = self._authenticator_data(rp_id, _ATTESTED) + attested
        attestation = {"fmt": "none", "attStmt": {}, "authData": data}
        made = self._credential(
            clientDataJSON=self._client_data("webauthn.create", options),
            attestationObject=cbor2.dumps(attestation),
        )
        properties = {"credProps": {"rk": self.is_discoverable}}
        return made | {"clientExtensionResults": properties}

    def get(self, options: dict) -> dict:
        """Answer ``navigator.credentials.get``."""
        self.count += self.step
        data = self._authenticator_data(self.rp_id or options["rpId"], 0)
        client_data = self._client_data("webauthn.get", options)
        signed = data + hashlib.sha256(client_data).digest()
        return self._credential(
            clientDataJSON=client_data,
            authenticatorData=data,
            signature=self.key.sign(signed, ec.ECDSA(hashes.SHA256())),
            userHandle=self.user_handle,
        )

    def _credential(self, **response: bytes) -> dict:
        return {
            "id": encode(self.credential_id),
            "rawId": encode(self.credential_id),
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": {name: encode(raw) for name, raw in response.items()},
        }

    def _client_data(self, kind: str, options: dict) -> bytes:
        document = {
            "type": kind,
            "challenge": options["challenge"],
            "origin": self.origin,
            "crossOrigin": self.cross_origin,
        }
        return json.dumps(document).encode()

    def _authenticator_data(self, rp_id: str, flags: int) -> bytes:
        flags |= _PRESENT | (_VERIFIED if self.verifies_user else 0)
        relying_party = hashlib.sha256(rp_id.encode()).digest()
        return relying_party + bytes([flags]) + self.count.to_bytes(4, "big")

    def _public_key(self) -> dict:
        numbers = self.key.public_key().public_numbers()
        x, y = numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")
        return {1: 2, 3: -7, -1: 1, -2: x, -3: y}
