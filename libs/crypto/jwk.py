"""Ed25519 signing keys as JSON Web Keys; source: RFC 8037.

Keys come from configuration or from a JWKS document of an address in configuration,
never from a token.
"""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from libs.crypto.keyring import KeyRingError, read_private_file

KeyDocument = Mapping[str, object]
_KID_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_KEY_BYTES = 32


class SigningKeysError(KeyRingError):
    """A key file or JWKS cannot be used; never quotes it."""


@dataclass(frozen=True)
class SigningKey:
    """A private key and its id.

    Attributes:
        kid: 1..64 of ``A-Za-z0-9._:-``.
        private_key: Taken by PyJWT as it is.
    """

    kid: str
    private_key: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def generate(cls, kid: str) -> "SigningKey":
        """Make a random key."""
        return cls(_checked_kid(kid), Ed25519PrivateKey.generate())

    @classmethod
    def from_jwk(cls, document: KeyDocument) -> "SigningKey":
        """Read ``{"kty": "OKP", "crv": "Ed25519", "kid", "d", "x"}``.

        Raises:
            SigningKeysError: It is anything else, or x does not belong to d.
        """
        _check_kind(document)
        kid = _checked_kid(document.get("kid"))
        key = cls(kid, Ed25519PrivateKey.from_private_bytes(_part(document, "d")))
        if key.public_jwk()["x"] != document.get("x"):
            raise SigningKeysError("x is not the public part of d")
        return key

    @classmethod
    def from_file(cls, path: Path) -> "SigningKey":
        """Read a file with one private JWK; raises `SigningKeysError`."""
        return cls.from_jwk(read_document(path))

    def to_jwk(self) -> dict[str, str]:
        """Return the private JWK. It is a secret."""
        private = self.private_key.private_bytes_raw()
        return {**self.public_jwk(), "d": _encode(private)}

    def public_jwk(self) -> dict[str, str]:
        """Return the public JWK, as it stands in a JWKS document."""
        public = self.private_key.public_key().public_bytes_raw()
        return {
            "kty": "OKP",
            "crv": "Ed25519",
            "kid": self.kid,
            "use": "sig",
            "alg": "EdDSA",
            "x": _encode(public),
        }


@dataclass(frozen=True)
class SigningKeys:
    """Several private keys, one of which signs; all are published.

    A file is ``{"current": kid, "keys": [private JWK, ...]}``. A new key stands in
    it for at least 5 minutes before it becomes current (JW-4).
    """

    current: SigningKey
    keys: tuple[SigningKey, ...]

    @classmethod
    def from_file(cls, path: Path) -> "SigningKeys":
        """Read a set.

        Raises:
            SigningKeysError: It cannot be read, or the current key is missing.
        """
        document = read_document(path)
        entries = document.get("keys")
        if not isinstance(entries, list):
            raise SigningKeysError(f"{path}: no list of keys")
        keys = tuple(SigningKey.from_jwk(_as_document(entry)) for entry in entries)
        for key in keys:
            if key.kid == document.get("current"):
                return cls(key, keys)
        raise SigningKeysError(f"{path}: the current key is not in the set")

    @classmethod
    def generate(cls, kid: str) -> "SigningKeys":
        """Return a set with one random key."""
        key = SigningKey.generate(kid)
        return cls(key, (key,))

    def to_json(self) -> str:
        """Return the text of a set's file. It is a secret."""
        keys = [key.to_jwk() for key in self.keys]
        return json.dumps({"current": self.current.kid, "keys": keys}, indent=2)

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """Return the public JWKS document."""
        return jwks(self.keys)


def jwks(keys: Iterable[SigningKey]) -> dict[str, list[dict[str, str]]]:
    """Return the public JWKS document of some keys."""
    return {"keys": [key.public_jwk() for key in keys]}


def public_keys(document: object) -> dict[str, Ed25519PublicKey]:
    """Read a JWKS document.

    Keys of other kinds, and keys without an id, are left out (RFC 7517 section 5).

    Returns:
        The Ed25519 public keys by kid.

    Raises:
        SigningKeysError: It is no JWKS, or an Ed25519 key in it is broken.
    """
    entries = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(entries, list):
        raise SigningKeysError("not a JWKS document")
    found: dict[str, Ed25519PublicKey] = {}
    for entry in entries:
        if not isinstance(entry, Mapping) or entry.get("crv") != "Ed25519":
            continue
        kid = entry.get("kid")
        if not isinstance(kid, str) or not _KID_PATTERN.fullmatch(kid):
            continue
        _check_kind(entry)
        found[kid] = Ed25519PublicKey.from_public_bytes(_part(entry, "x"))
    return found


def read_document(path: Path, *, is_secret: bool = True) -> KeyDocument:
    """Read a file with a JSON object.

    Args:
        path: Of a key, a key set or a JWKS document.
        is_secret: Whether a file that everyone may read is refused.

    Raises:
        SigningKeysError: It cannot be read; names the file.
    """
    try:
        text = read_private_file(path) if is_secret else path.read_text("utf-8")
        return _as_document(json.loads(text))
    except OSError as error:
        raise SigningKeysError(f"{path}: {error.strerror}") from None
    except KeyRingError as error:
        raise SigningKeysError(f"{path}: {error}") from None
    except (ValueError, RecursionError):
        raise SigningKeysError(f"{path}: not JSON") from None


def _as_document(value: object) -> KeyDocument:
    if not isinstance(value, Mapping):
        raise SigningKeysError("a key is not a JSON object")
    return value


def _check_kind(document: KeyDocument) -> None:
    if (document.get("kty"), document.get("crv")) != ("OKP", "Ed25519"):
        raise SigningKeysError("not an Ed25519 key (kty OKP, crv Ed25519)")
    if document.get("alg", "EdDSA") != "EdDSA" or document.get("use", "sig") != "sig":
        raise SigningKeysError("a key is not for EdDSA signatures")


def _checked_kid(kid: object) -> str:
    if not isinstance(kid, str) or not _KID_PATTERN.fullmatch(kid):
        raise SigningKeysError("a kid is not 1..64 of A-Z a-z 0-9 . _ : -")
    return kid


def _part(document: KeyDocument, name: str) -> bytes:
    text = document.get(name)
    if isinstance(text, str) and re.fullmatch(r"[A-Za-z0-9_-]{43}", text):
        return base64.urlsafe_b64decode(text + "=")
    raise SigningKeysError(f"{name} is not {_KEY_BYTES} bytes in base64url")


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
