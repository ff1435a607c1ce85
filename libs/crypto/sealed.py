"""The wire form of a sealed field."""

import msgspec


class Sealed(msgspec.Struct, frozen=True, rename={"key_id": "k", "ciphertext": "c"}):
    """Private content inside an event or a document; opened only with its key.

    Attributes:
        key_id: Epoch of the key ring that sealed it.
        ciphertext: 12 bytes of nonce, then AES-256-GCM ciphertext with its tag;
            base64 in JSON.
    """

    key_id: str
    ciphertext: bytes
