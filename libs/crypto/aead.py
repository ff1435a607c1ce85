"""Authenticated encryption: AES-256-GCM with a random 96-bit nonce.

A key encrypts at most 2^32 texts under random nonces (NIST SP 800-38D section 8.3);
callers rotate long before.
"""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16


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
    nonce = os.urandom(NONCE_BYTES)
    return nonce + _cipher(key).encrypt(nonce, plaintext, additional_data)


def decrypt(key: bytes, ciphertext: bytes, additional_data: bytes) -> bytes:
    """Return the plaintext of `encrypt` with the same key and additional data.

    Raises:
        DecryptError: Any of the three differs.
        ValueError: The key is not 32 bytes long.
    """
    cipher = _cipher(key)
    if len(ciphertext) < NONCE_BYTES + TAG_BYTES:
        raise DecryptError("ciphertext is shorter than nonce and tag")
    nonce, sealed = ciphertext[:NONCE_BYTES], ciphertext[NONCE_BYTES:]
    try:
        return cipher.decrypt(nonce, sealed, additional_data)
    except InvalidTag:
        # The cause holds nothing that the sentence does not say.
        raise DecryptError("ciphertext does not belong to this key and place") from None


def additional_data(*parts: str) -> bytes:
    """Join texts so that no two different lists give the same bytes.

    Each part is preceded by its UTF-8 length as four bytes, big-endian, so
    ``("ab", "c")`` and ``("a", "bc")`` differ, and so do ``("",)`` and ``()``.
    """
    encoded = [part.encode() for part in parts]
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)


def _cipher(key: bytes) -> AESGCM:
    if len(key) != KEY_BYTES:
        raise ValueError(f"an AES-256 key has {KEY_BYTES} bytes, not {len(key)}")
    return AESGCM(key)
