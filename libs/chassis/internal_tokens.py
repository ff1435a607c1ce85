"""Internal tokens: who calls whom, for which user; one minute, one audience (IN-1).

A caller holds its private key alone; every service has the public keys of all callers.
The permission is the user's: a token says who asks, the service what they may.
"""

from collections import OrderedDict
from hashlib import sha256
from pathlib import Path
from typing import Any

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from libs.chassis.principals import Principal
from libs.chassis.tokens import (
    Claims,
    TokenInvalidError,
    check_text,
    check_times,
    parse_token,
    proof_claim,
    sign_token,
    text_claim,
    texts_claim,
)
from libs.crypto import SigningKey, SigningKeysError, public_keys
from libs.crypto.jwk import read_document
from libs.kernel import Clock, SystemClock, new_id

TYP = "internal+jwt"
LIFETIME_SECONDS = 60
LEEWAY_SECONDS = 5
_REUSE_SECONDS = 30
_MAX_CACHED = 10_000
_RELOAD_SECONDS = 1.0
_log = structlog.get_logger()


class InternalTokenSigner:
    """Signs the tokens of one caller.

    Args:
        key_file: Private Ed25519 JWK whose kid is ``<issuer>:<number>``.
        issuer: Name of the calling service.

    Raises:
        SigningKeysError: The file cannot be used, or is another caller's.
    """

    def __init__(self, key_file: Path, issuer: str, clock: Clock | None = None) -> None:
        self._key = SigningKey.from_file(key_file)
        if self._key.kid.partition(":")[0] != issuer:
            raise SigningKeysError(f"{key_file}: its kid is not of the form {issuer}:1")
        self._issuer = issuer
        self._clock = clock or SystemClock()
        self._cache: OrderedDict[tuple[str, Principal], tuple[str, float]] = (
            OrderedDict()
        )

    def token(self, audience: str, principal: Principal) -> str:
        """Return a token that is valid for at least 30 s more.

        The same audience and principal get the same token for 30 s: signing costs
        50 us, and the other side need not verify twice.
        """
        now = self._clock.now().timestamp()
        cached = self._cache.get((audience, principal))
        if cached is not None and now - cached[1] < _REUSE_SECONDS:
            return cached[0]
        token = self._sign(audience, principal, int(now))
        self._cache[audience, principal] = (token, now)
        self._cache.move_to_end((audience, principal))
        while len(self._cache) > _MAX_CACHED:
            self._cache.popitem(last=False)
        return token

    def _sign(self, audience: str, principal: Principal, now: int) -> str:
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "aud": audience,
            "sub": principal.user_id,
            "sid": principal.session_id,
            "roles": list(principal.roles),
            "scope": " ".join(principal.scopes),
            "iat": now,
            "exp": now + LIFETIME_SECONDS,
            "jti": new_id(),
        }
        if principal.authenticated_at:
            claims["auth_time"] = principal.authenticated_at
        return sign_token(self._key, claims, typ=TYP)


class InternalTokenVerifier:
    """Verifies tokens made for one service.

    Args:
        jwks_file: Public keys of all callers; read again when it changed and a key is
            not known, at most once a second.
        audience: Name of this service.
    """

    def __init__(
        self, jwks_file: Path, audience: str, clock: Clock | None = None
    ) -> None:
        self._path = jwks_file
        self._audience = audience
        self._clock = clock or SystemClock()
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._mtime = 0.0
        self._looked_at = float("-inf")
        self._cache: OrderedDict[bytes, tuple[Principal, float]] = OrderedDict()

    def load(self) -> None:
        """Read the key file; needed once before `verify` knows any key.

        Raises:
            SigningKeysError: It cannot be used.
        """
        mtime = _mtime(self._path)
        self._keys = public_keys(read_document(self._path, is_secret=False))
        self._mtime = mtime
        self._cache.clear()

    def verify(self, token: str) -> Principal:
        """Return on whose behalf the caller asks.

        Raises:
            TokenInvalidError: Not a valid token of a known caller for this service.
        """
        digest = sha256(token.encode(errors="replace")).digest()
        now = self._clock.now().timestamp()
        cached = self._cache.get(digest)
        if cached is not None and now < cached[1]:
            return cached[0]
        principal, valid_until = self._verify(token, now)
        self._cache[digest] = (principal, valid_until)
        while len(self._cache) > _MAX_CACHED:
            self._cache.popitem(last=False)
        return principal

    def _verify(self, token: str, now: float) -> tuple[Principal, float]:
        unverified = parse_token(token, typ=TYP)
        claims = unverified.verify(self._key(unverified.kid))
        caller = unverified.kid.partition(":")[0]
        check_text(claims, "iss", caller)
        check_text(claims, "aud", self._audience)
        text_claim(claims, "jti")
        times = check_times(claims, now, leeway=LEEWAY_SECONDS)
        if times.expires_at - times.issued_at > LIFETIME_SECONDS:
            raise TokenInvalidError("lifetime")
        return _principal(claims, caller), times.expires_at + LEEWAY_SECONDS

    def _key(self, kid: str) -> Ed25519PublicKey:
        if kid not in self._keys:
            self._reload_if_changed()
        key = self._keys.get(kid)
        if key is None:
            raise TokenInvalidError("kid")
        return key

    def _reload_if_changed(self) -> None:
        now = self._clock.monotonic()
        if now - self._looked_at < _RELOAD_SECONDS:
            return
        self._looked_at = now
        if _mtime(self._path) == self._mtime:
            return
        try:
            self.load()
        except SigningKeysError as error:
            # Perhaps half written: the keys we have go on working.
            _log.warning("internal_keys_not_read", error=str(error))


def _principal(claims: Claims, caller: str) -> Principal:
    user_id = text_claim(claims, "sub")
    session_id, scope = claims.get("sid"), claims.get("scope")
    if not isinstance(session_id, str) or not isinstance(scope, str):
        raise TokenInvalidError("claims")
    roles = texts_claim(claims, "roles")
    scopes, proved_at = tuple(scope.split()), proof_claim(claims)
    principal = Principal(user_id, session_id, roles, scopes, caller, proved_at)
    if principal.is_user and not session_id:
        raise TokenInvalidError("sid")
    return principal


def _mtime(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
