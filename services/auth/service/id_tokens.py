"""What a provider signed: ID tokens and logout tokens, checked narrowly.

PyJWT verifies the signature; everything around it is checked here (security.md,
finding 7). Sources: OpenID Connect Core 1.0, sections 3.1.3.7 and 3.1.3.6; Back-Channel
Logout 1.0, section 2.6; RFC 8725.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import jwt

from libs.chassis.freshness import STEP_UP_FRESH
from libs.chassis.payloads import JsonLimits, parse_json
from libs.chassis.tokens import TokenInvalidError, check_times
from libs.kernel import InvalidError
from services.auth.domain import (
    Provider,
    ProviderIdentity,
    hash_secret,
)
from services.auth.domain.errors import ProviderTokenInvalidError
from services.auth.ports import ProviderClient
from services.auth.service.provider_keys import ALGORITHMS

LOGOUT_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
_LEEWAY_SECONDS = 30
_AGE_MAX_SECONDS = 600
_TOKEN_BYTES = 16 * 1024
_SUBJECT_MAX = 255
_LOCALE_MAX = 16
_LIMITS = JsonLimits(body_bytes=_TOKEN_BYTES, depth=6, names=100)
_COMPACT_PATTERN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_jws = jwt.PyJWS(algorithms=list(ALGORITHMS))

Claims = Mapping[str, Any]


@dataclass(frozen=True)
class LogoutNotice:
    """Whose sessions a provider has ended.

    Attributes:
        token_id: Claim ``jti``; shown twice it is a replay.
        subject: Empty where only the session is named.
        session: The provider's ``sid``; empty where everything of a person ends.
    """

    token_id: str
    subject: str
    session: str
    expires_at: int


async def check_id_token(
    text: str,
    access_token: str,
    *,
    provider: Provider,
    client: ProviderClient,
    nonce: str,
    now: float,
) -> Claims:
    """Return the claims of an ID token that answers our own request.

    Raises:
        ProviderTokenInvalidError: Anything is wrong with it.
        ProviderUnavailableError: The provider's keys cannot be had.
    """
    algorithm, claims = await _verified(text, client, kinds=(None, "JWT"))
    _check_origin(claims, provider, now)
    if not _same(claims.get("nonce"), nonce):
        raise ProviderTokenInvalidError("nonce")
    at_hash = claims.get("at_hash")
    if at_hash is not None and not _same(at_hash, _half(access_token, algorithm)):
        raise ProviderTokenInvalidError("at_hash")
    subject_of(claims)
    return claims


def check_fresh(claims: Claims, now: float) -> None:
    """Accept a token of somebody who proved who they are at the provider just now.

    Raises:
        ProviderTokenInvalidError: ``auth_time`` is missing, though it was asked for, or
            older than a step-up may be.
    """
    proved_at = claims.get("auth_time")
    if isinstance(proved_at, bool) or not isinstance(proved_at, int):
        raise ProviderTokenInvalidError("auth_time")
    age = now - proved_at
    if not -_LEEWAY_SECONDS <= age <= STEP_UP_FRESH.total_seconds():
        raise ProviderTokenInvalidError("auth_time")


async def check_logout_token(
    text: str, *, provider: Provider, client: ProviderClient, now: float
) -> LogoutNotice:
    """Return what a logout token ends.

    Raises:
        ProviderTokenInvalidError: Anything is wrong with it.
        ProviderUnavailableError: The provider's keys cannot be had.
    """
    _, claims = await _verified(text, client, kinds=("logout+jwt", "JWT", None))
    expires_at = _check_origin(claims, provider, now)
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
        raise ProviderTokenInvalidError("events")
    if "nonce" in claims:
        raise ProviderTokenInvalidError("nonce")
    notice = LogoutNotice(
        token_id=_text(claims, "jti"),
        subject=_text(claims, "sub") if "sub" in claims else "",
        session=_text(claims, "sid") if "sid" in claims else "",
        expires_at=expires_at,
    )
    if not notice.subject and not notice.session:
        raise ProviderTokenInvalidError("sub")
    return notice


def subject_of(claims: Claims) -> str:
    """Return who it is at the provider: 1..255 characters.

    Raises:
        ProviderTokenInvalidError: There is no such claim.
    """
    return _text(claims, "sub")


def identity_of(claims: Claims, provider: Provider) -> ProviderIdentity:
    """Return the identity that checked claims speak of.

    What is no text, or too long for what it is, counts as not said.
    """
    names = provider.claims
    session = _optional(claims, "sid", _SUBJECT_MAX)
    verified = claims.get(names.email_verified)
    return ProviderIdentity(
        provider_id=provider.provider_id,
        issuer=provider.issuer,
        subject=subject_of(claims),
        email=_optional(claims, names.email, _SUBJECT_MAX),
        # Some providers send the word instead of the value; nothing else counts.
        is_email_verified=verified is True or verified == "true",
        display_name=_optional(claims, names.display_name, _SUBJECT_MAX),
        locale=_optional(claims, names.locale, _LOCALE_MAX),
        session_hash=session_hash_of(provider, session) if session else "",
    )


def session_hash_of(provider: Provider, session: str) -> str:
    """Return what is kept of a provider's ``sid``."""
    return hash_secret(f"{provider.issuer}|{session}")


async def _verified(
    text: str, client: ProviderClient, *, kinds: tuple[str | None, ...]
) -> tuple[str, Claims]:
    if len(text) > _TOKEN_BYTES or not _COMPACT_PATTERN.fullmatch(text):
        raise ProviderTokenInvalidError("form")
    header = _object(_decoded(text.partition(".")[0]))
    algorithm, kid = header.get("alg"), header.get("kid")
    if algorithm not in ALGORITHMS or header.get("typ") not in kinds:
        raise ProviderTokenInvalidError("kind")
    if "crit" in header or not isinstance(kid, str):
        raise ProviderTokenInvalidError("header")
    key = await client.key(kid)
    if key is None or key.algorithm != algorithm:
        raise ProviderTokenInvalidError("kid")
    try:
        payload: bytes = _jws.decode(text, key.key, algorithms=[algorithm])
    except jwt.PyJWTError:
        raise ProviderTokenInvalidError("signature") from None
    return algorithm, _object(payload)


def _check_origin(claims: Claims, provider: Provider, now: float) -> int:
    """Check who made it, for whom, and when; return when it expires."""
    if claims.get("iss") != provider.issuer:
        raise ProviderTokenInvalidError("iss")
    _check_audience(claims, provider.client_id)
    try:
        times = check_times(claims, now, leeway=_LEEWAY_SECONDS)
    except TokenInvalidError as error:
        raise ProviderTokenInvalidError(error.reason) from None
    if times.issued_at < now - _AGE_MAX_SECONDS:
        raise ProviderTokenInvalidError("old")
    return times.expires_at


def _check_audience(claims: Claims, client_id: str) -> None:
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if client_id not in audiences:
        raise ProviderTokenInvalidError("aud")
    # With one audience azp may be missing; a wrong one never passes.
    authorised = claims.get("azp", client_id if len(audiences) == 1 else None)
    if authorised != client_id:
        raise ProviderTokenInvalidError("azp")


def _half(access_token: str, algorithm: str) -> str:
    """Return what ``at_hash`` has to be (Core, section 3.1.3.6)."""
    # Ed25519 hashes with SHA-512, the others are named after SHA-256.
    hashing = hashlib.sha512 if algorithm == "EdDSA" else hashlib.sha256
    digest = hashing(access_token.encode()).digest()
    half = digest[: len(digest) // 2]
    return base64.urlsafe_b64encode(half).rstrip(b"=").decode()


def _same(value: object, expected: str) -> bool:
    return isinstance(value, str) and hmac.compare_digest(
        value.encode(), expected.encode()
    )


def _text(claims: Claims, name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _SUBJECT_MAX:
        raise ProviderTokenInvalidError(name)
    return value


def _optional(claims: Claims, name: str, limit: int) -> str:
    value = claims.get(name)
    return value if isinstance(value, str) and len(value) <= limit else ""


def _object(text: bytes) -> dict[str, Any]:
    try:
        value = parse_json(text, _LIMITS)
    except InvalidError:
        raise ProviderTokenInvalidError("json") from None
    if not isinstance(value, dict):
        raise ProviderTokenInvalidError("json")
    return value


def _decoded(part: str) -> bytes:
    try:
        return jwt.utils.base64url_decode(part)
    except ValueError:
        raise ProviderTokenInvalidError("base64") from None
