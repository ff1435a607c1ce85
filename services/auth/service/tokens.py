"""Access tokens that others check, refresh tokens that only auth can read."""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import jwt

from libs.crypto import KeyRing, KeyUnknownError
from libs.kernel import Clock, SessionId, UserId, is_id, new_id
from services.auth.domain.errors import RefreshTokenInvalidError
from services.auth.ports import AccessTokenKeys

ACCESS_TOKEN_LIFETIME = timedelta(minutes=5)
ACCESS_TOKEN_AUDIENCE: Final = "parley"  # noqa: S105 - a name, no token
REFRESH_TOKEN_CODE_POINTS_MAX = 256

_SEPARATOR = "~"  # in no key id, no base64url; allowed in a cookie
_PARTS = 4
_SECRET_BYTES = 32


class AccessTokens:
    """Signs the short tokens that the gateway and chat check with the JWKS.

    Source: ADR 0014; RFC 9068 for ``typ`` and claims, RFC 8037 for EdDSA.
    """

    def __init__(self, keys: AccessTokenKeys, *, issuer: str, clock: Clock) -> None:
        self._keys = keys
        self._issuer = issuer
        self._clock = clock

    def issue(
        self,
        user_id: UserId,
        session_id: SessionId,
        roles: tuple[str, ...],
        *,
        scopes: tuple[str, ...] = (),
        authenticated_at: datetime | None = None,
        lifetime: timedelta = ACCESS_TOKEN_LIFETIME,
    ) -> str:
        """Return a JWT that is good for 5 minutes at most.

        Args:
            user_id: Subject.
            session_id: Session, or personal token, whose end ends it too.
            roles: Of the user.
            scopes: What it is restricted to; nothing if empty.
            authenticated_at: When the user last proved who they are (MF-6).
            lifetime: How long it is good, in whole seconds.
        """
        now = int(self._clock.now().timestamp())
        claims = {
            "iss": self._issuer,
            "aud": ACCESS_TOKEN_AUDIENCE,
            "sub": user_id,
            "sid": session_id,
            "jti": new_id(),
            "iat": now,
            "exp": now + int(lifetime.total_seconds()),
            "roles": list(roles),
        }
        if scopes:
            claims["scope"] = " ".join(scopes)
        if authenticated_at is not None:
            claims["auth_time"] = int(authenticated_at.timestamp())
        key = self._keys.current
        return jwt.encode(
            claims,
            key.private_key,
            algorithm="EdDSA",
            headers={"typ": "at+jwt", "kid": key.kid},
        )

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """Return the public keys that check what was signed lately (RFC 7517)."""
        return self._keys.jwks()


@dataclass(frozen=True)
class RefreshToken:
    """A token that this installation made; whether it is still good says the session.

    Attributes:
        key_id: Ring key under which it was made.
        session_id: Its family.
        secret: 256 bits.
    """

    key_id: str
    session_id: SessionId
    secret: bytes
    tag: bytes

    @property
    def text(self) -> str:
        """The opaque text that the client holds."""
        parts = (
            self.key_id,
            self.session_id,
            _encode(self.secret),
            _encode(self.tag),
        )
        return _SEPARATOR.join(parts)

    @property
    def hash(self) -> str:
        """SHA-256 of the text in hex: all that is stored of it."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def __repr__(self) -> str:
        return f"RefreshToken(session_id={self.session_id!r})"


class RefreshTokens:
    """Makes refresh tokens and tells a genuine one from any other text.

    A child is the HMAC of its parent and its family, so that a retried refresh
    yields the same child although only hashes are stored (RT-2). A tag makes
    replay of a real token distinguishable from an invented one, which would
    otherwise let anybody who knows a session's id end it.
    """

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    @property
    def current_key_id(self) -> str:
        """Ring key that makes new tokens."""
        return self._ring.current_id

    def root(self, session_id: SessionId) -> RefreshToken:
        """Return the first token of a family."""
        secret = secrets.token_bytes(_SECRET_BYTES)
        return self._token(self._ring.current_id, session_id, secret)

    def child(self, parent: RefreshToken, key_id: str) -> RefreshToken:
        """Return the one child that a token has under a key."""
        family = parent.session_id.encode()
        secret = self._mac(key_id, b"child", parent.secret, family)
        return self._token(key_id, parent.session_id, secret)

    def parse(self, text: str) -> RefreshToken:
        """Read a token that this installation made.

        Raises:
            RefreshTokenInvalidError: It did not make this one.
        """
        parts = text[: REFRESH_TOKEN_CODE_POINTS_MAX + 1].split(_SEPARATOR)
        if len(parts) != _PARTS or not is_id(parts[1]):
            raise RefreshTokenInvalidError
        key_id, session_id = parts[0], SessionId(parts[1])
        try:
            genuine = self._token(key_id, session_id, _decode(parts[2]))
            is_genuine = hmac.compare_digest(genuine.text.encode(), text.encode())
        except (KeyUnknownError, ValueError):
            raise RefreshTokenInvalidError from None
        if not is_genuine:
            raise RefreshTokenInvalidError
        return genuine

    def _token(self, key_id: str, session_id: SessionId, secret: bytes) -> RefreshToken:
        tag = self._mac(key_id, b"tag", secret, session_id.encode())
        return RefreshToken(key_id, session_id, secret, tag)

    def _mac(self, key_id: str, use: bytes, secret: bytes, family: bytes) -> bytes:
        message = b"parley/auth/refresh/v1|" + use + b"|" + secret + family
        return hmac.digest(self._ring.key(key_id), message, hashlib.sha256)


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if len(raw) != _SECRET_BYTES:
        raise ValueError("a refresh token's secret has 32 bytes")
    return raw
