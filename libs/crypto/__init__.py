"""Cryptography of Parley: key ring, envelope encryption, sealed fields, signing keys.

A leaf beside events. One cipher (AES-256-GCM) and one signature (Ed25519); nothing
here is chosen at run time. Sources: ADR 0013, ADR 0014.
"""

from libs.crypto.aead import DecryptError, additional_data, decrypt, encrypt
from libs.crypto.envelope import DataKeys
from libs.crypto.fields import FieldSealer
from libs.crypto.jwk import SigningKey, SigningKeys, SigningKeysError, public_keys
from libs.crypto.keyring import KeyRing, KeyRingError, KeyUnknownError
from libs.crypto.sealed import Sealed
from libs.crypto.watched import WatchedKeyRing
from libs.crypto.wrapping import (
    FileKeyWrapper,
    JoinedKeyWrapper,
    KeyWrapper,
    WrappedKey,
)

__all__ = [
    "DataKeys",
    "DecryptError",
    "FieldSealer",
    "FileKeyWrapper",
    "JoinedKeyWrapper",
    "KeyRing",
    "KeyRingError",
    "KeyUnknownError",
    "KeyWrapper",
    "Sealed",
    "SigningKey",
    "SigningKeys",
    "SigningKeysError",
    "WatchedKeyRing",
    "WrappedKey",
    "additional_data",
    "decrypt",
    "encrypt",
    "public_keys",
]
