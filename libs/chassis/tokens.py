"""JSON Web Tokens, narrowly: compact JWS, Ed25519, a header of three names.

PyJWT verifies the signature; everything around it is checked here, because it takes
any ``typ``, lists of audiences and unknown headers (security.md, finding 7). Whatever
is wrong, the caller learns one thing: the token is not valid. Source: RFC 8725.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from libs.chassis.payloads import JsonLimits, parse_json
from libs.crypto import SigningKey
from libs.kernel import InvalidError, UnauthenticatedError

MAX_TOKEN_BYTES = 8 * 1024
_ALGORITHM = "EdDSA"
_HEADER_NAMES = {"alg", "typ", "kid"}
_COMPACT_PATTERN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}")
_LIMITS = JsonLimits(body_bytes=MAX_TOKEN_BYTES, depth=4, names=32)
_MAX_TEXT = 256
_jws = jwt.PyJWS(algorithms=[_ALGORITHM])

Claims = Mapping[str, Any]


class TokenInvalidError(UnauthenticatedError):
    """A token is not valid; why is told to logs, never to the caller.

    Attributes:
        reason: A constant slug.
    """

    def __init__(self, reason: str) -> None:
        super().__init__("token_invalid", "The token is not valid.")
        self.reason = reason


@dataclass(frozen=True)
class UnverifiedToken:
    """A token whose form is right and whose signature has not been looked at."""

    text: str
    kid: str
    typ: str

    def verify(self, key: Ed25519PublicKey) -> Claims:
        """Return the claims if the key signed them.

        Raises:
            TokenInvalidError: It did not, or they are no JSON object.
        """
        try:
            payload: bytes = _jws.decode(self.text, key, algorithms=[_ALGORITHM])
        except jwt.InvalidTokenError:
            raise TokenInvalidError("signature") from None
        return _parse_object(payload)


def parse_token(text: str, *, typ: str) -> UnverifiedToken:
    """Check a token's form and header, before any key is chosen.

    Args:
        text: Compact serialisation, at most 8 KiB.
        typ: The one ``typ`` that is taken.

    Raises:
        TokenInvalidError: Anything else, any header beside alg, typ and kid
            included: ``crit``, ``jwk``, ``jku``, ``x5u``, ``b64`` and what may come.
    """
    if len(text) > MAX_TOKEN_BYTES:
        raise TokenInvalidError("size")
    if not _COMPACT_PATTERN.fullmatch(text):
        raise TokenInvalidError("form")
    header = _parse_object(_decode_part(text.partition(".")[0]))
    if set(header) != _HEADER_NAMES:
        raise TokenInvalidError("header")
    if header["alg"] != _ALGORITHM or header["typ"] != typ:
        raise TokenInvalidError("kind")
    return UnverifiedToken(text, _text(header, "kid"), typ)


def sign_token(key: SigningKey, claims: Claims, *, typ: str) -> str:
    """Return a signed token with exactly the header that `parse_token` takes."""
    payload = json.dumps(claims, separators=(",", ":")).encode()
    headers = {"typ": typ, "kid": key.kid}
    return _jws.encode(payload, key.private_key, _ALGORITHM, headers=headers)


@dataclass(frozen=True)
class Times:
    """The times of a token, in seconds since 1970."""

    issued_at: int
    expires_at: int


def check_times(claims: Claims, now: float, *, leeway: float) -> Times:
    """Check ``iat``, ``exp`` and, if it is there, ``nbf``.

    Raises:
        TokenInvalidError: One is no integer, the token has expired, or begins in the
            future, by more than the leeway in seconds.
    """
    times = Times(_integer(claims, "iat"), _integer(claims, "exp"))
    starts_at = _integer(claims, "nbf") if "nbf" in claims else times.issued_at
    if times.expires_at <= now - leeway:
        raise TokenInvalidError("expired")
    if max(times.issued_at, starts_at) > now + leeway:
        raise TokenInvalidError("not_yet_valid")
    if times.expires_at <= times.issued_at:
        raise TokenInvalidError("times")
    return times


def check_text(claims: Claims, name: str, expected: str) -> None:
    """Check that a claim is exactly this text; a list that contains it is not."""
    if _text(claims, name) != expected:
        raise TokenInvalidError(name)


def text_claim(claims: Claims, name: str) -> str:
    """Return a claim of 1..256 characters; raises `TokenInvalidError`."""
    return _text(claims, name)


def scope_claim(claims: Claims) -> tuple[str, ...]:
    """Return the claim ``scope``, words with spaces between, empty if it is missing.

    One that is there and says nothing is refused: it would lift the restriction.
    """
    if "scope" not in claims:
        return ()
    return tuple(_text(claims, "scope").split(" "))


def proof_claim(claims: Claims) -> int:
    """Return ``auth_time``, seconds since 1970, 0 if it is missing (RFC 9068)."""
    return _integer(claims, "auth_time") if "auth_time" in claims else 0


def texts_claim(claims: Claims, name: str) -> tuple[str, ...]:
    """Return a claim that is a list of texts, empty if it is missing."""
    value = claims.get(name, [])
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise TokenInvalidError(name)
    return tuple(value)


def _text(document: Claims, name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_TEXT:
        raise TokenInvalidError(name)
    return value


def _integer(claims: Claims, name: str) -> int:
    value = claims.get(name)
    if type(value) is not int or value < 0:
        raise TokenInvalidError(name)
    return value


def _parse_object(text: bytes) -> dict[str, Any]:
    try:
        value = parse_json(text, _LIMITS)
    except InvalidError:
        raise TokenInvalidError("json") from None
    if not isinstance(value, dict):
        raise TokenInvalidError("json")
    return value


def _decode_part(part: str) -> bytes:
    try:
        return jwt.utils.base64url_decode(part)
    except ValueError:
        raise TokenInvalidError("base64") from None
