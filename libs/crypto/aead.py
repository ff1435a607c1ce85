"""Authenticated encryption: AES-256-GCM with a random 96-bit nonce.

A key encrypts at most 2^32 texts under random nonces (NIST SP 800-38D section 8.3);
callers rotate long before.
"""

import os
from struct import Struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16
_length = Struct(">I").pack


class DecryptError(Exception):
    """A ciphertext is not what was encrypted under this key for this place.

    Wrong key, wrong additional data, cut or altered bytes: which one cannot be told.
    It is no `AppError`: a reader shows the thing as unreadable and raises an alert,
    a consumer retries and then dead-letters.
    """


def encrypt(key: bytes, plaintext: bytes, additional_data: bytes) -> bytes:
    """Encrypt and bind to a place.

    Args:
        key: 32 bytes.
        plaintext: Any length.
        additional_data: What the ciphertext is bound to; see `additional_data`.

    Returns:
        12 bytes of nonce, ciphertext, 16 bytes of tag.

    Raises:
        ValueError: The key is not 32 bytes long.
    """
    return Cipher(key).encrypt(plaintext, additional_data)


def decrypt(key: bytes, ciphertext: bytes, additional_data: bytes) -> bytes:
    """Return the plaintext of `encrypt` with the same key and additional data.

    Raises:
        DecryptError: Any of the three differs.
        ValueError: The key is not 32 bytes long.
    """
    return Cipher(key).decrypt(ciphertext, additional_data)


class Cipher:
    """A key that is used again and again: as `encrypt` and `decrypt`.

    It keeps its key in memory for as long as it lives: not for keys that are to be
    forgotten.

    Args:
        key: 32 bytes.

    Raises:
        ValueError: The key is not 32 bytes long.
    """

    __slots__ = ("_aead",)

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"an AES-256 key has {KEY_BYTES} bytes, not {len(key)}")
        self._aead = AESGCM(key)

    def encrypt(self, plaintext: bytes, additional_data: bytes) -> bytes:
        """Encrypt and bind to a place."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, plaintext, additional_data)

    def decrypt(self, ciphertext: bytes, additional_data: bytes) -> bytes:
        """Return the plaintext.

        Raises:
            DecryptError: Another key or place, or altered.
        """
        if len(ciphertext) < NONCE_BYTES + TAG_BYTES:
            raise DecryptError("ciphertext is shorter than nonce and tag")
        nonce, sealed = ciphertext[:NONCE_BYTES], ciphertext[NONCE_BYTES:]
        try:
            return self._aead.decrypt(nonce, sealed, additional_data)
        except InvalidTag:
            # The cause holds nothing that the sentence does not say.
            reason = "ciphertext does not belong to this key and place"
            raise DecryptError(reason) from None


def additional_data(*parts: str) -> bytes:
    """Join texts so that no two different lists give the same bytes.

    Each part is preceded by its UTF-8 length as four bytes, big-endian, so
    ``("ab", "c")`` and ``("a", "bc")`` differ, and so do ``("",)`` and ``()``.
    """
    joined: list[bytes] = []
    for part in parts:
        encoded = part.encode()
        joined += (_length(len(encoded)), encoded)
    return b"".join(joined)
