"""Access tokens: what a client shows at the gateway and at chat's sockets (JW rows)."""

from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

import aiohttp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from libs.chassis.key_sets import KEYS_FRESH_SECONDS, FetchJwks, KeySet
from libs.chassis.payloads import JsonLimits, parse_json
from libs.chassis.tokens import (
    TokenInvalidError,
    check_text,
    check_times,
    parse_token,
    proof_claim,
    scope_claim,
    text_claim,
    texts_claim,
)
from libs.crypto import public_keys
from libs.kernel import Clock, SystemClock, UnavailableError

TYP = "at+jwt"
AUDIENCE = "parley"
LEEWAY_SECONDS = 30
LIFETIME_SECONDS = 300
_MAX_CACHED = 20_000
_CACHE_SECONDS = 25.0
_JWKS_LIMITS = JsonLimits(body_bytes=64 * 1024, depth=6)


class KeySource(Protocol):
    """Where public keys come from."""

    async def key(self, kid: str) -> Ed25519PublicKey | None:
        """Return the key of exactly this id, None if there is none.

        Raises:
            UnavailableError: No key is known at all and the source does not answer.
        """
        ...


@dataclass(frozen=True)
class AccessClaims:
    """What a valid access token says.

    Attributes:
        user_id: Whose it is.
        session_id: Session it belongs to; the caller checks its revocation.
        token_id: Its own id.
        roles: Roles in the organisation.
        issued_at: Seconds since 1970.
        expires_at: Seconds since 1970; accepted up to 30 s longer.
        scopes: What it is restricted to, empty for no restriction (RFC 9068).
        authenticated_at: Seconds since 1970, when its user last proved who they are; 0
            where it does not say.
        verified_until: Seconds since 1970; whoever remembers the claims asks again
            then, or a key that was taken away would go on (JW-4).
    """

    user_id: str
    session_id: str
    token_id: str
    roles: tuple[str, ...]
    issued_at: int
    expires_at: int
    scopes: tuple[str, ...] = ()
    authenticated_at: int = 0
    verified_until: float = 0.0


class AccessTokenVerifier:
    """Verifies access tokens with auth's public keys.

    A verified token is remembered for 25 s by its SHA-256, so that a key that was
    taken away stops working within a minute (JW-4).

    Args:
        keys: Source of auth's public keys.
        issuer: Exact ``iss``: the installation's public URL.
    """

    def __init__(
        self, keys: KeySource, issuer: str, clock: Clock | None = None
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._clock = clock or SystemClock()
        self._cache: OrderedDict[bytes, AccessClaims] = OrderedDict()

    async def verify(self, token: str) -> AccessClaims:
        """Return the claims of a valid token.

        Raises:
            TokenInvalidError: It is not valid now; says not why.
            UnavailableError: The keys cannot be had.
        """
        digest = sha256(token.encode(errors="replace")).digest()
        now = self._clock.now().timestamp()
        cached = self._cache.get(digest)
        if cached is not None and now < cached.verified_until:
            return cached
        claims = await self._verify(token, now)
        self._cache[digest] = claims
        self._cache.move_to_end(digest)
        while len(self._cache) > _MAX_CACHED:
            self._cache.popitem(last=False)
        return claims

    async def _verify(self, token: str, now: float) -> AccessClaims:
        unverified = parse_token(token, typ=TYP)
        key = await self._keys.key(unverified.kid)
        if key is None:
            raise TokenInvalidError("kid")
        claims = unverified.verify(key)
        check_text(claims, "iss", self._issuer)
        check_text(claims, "aud", AUDIENCE)
        times = check_times(claims, now, leeway=LEEWAY_SECONDS)
        return AccessClaims(
            user_id=text_claim(claims, "sub"),
            session_id=text_claim(claims, "sid"),
            token_id=text_claim(claims, "jti"),
            roles=texts_claim(claims, "roles"),
            issued_at=times.issued_at,
            expires_at=times.expires_at,
            scopes=scope_claim(claims),
            authenticated_at=proof_claim(claims),
            verified_until=min(now + _CACHE_SECONDS, times.expires_at + LEEWAY_SECONDS),
        )


class JwksSource(KeySet[Ed25519PublicKey]):
    """Auth's public keys, cached; see `KeySet`."""

    def __init__(
        self,
        fetch: FetchJwks,
        clock: Clock | None = None,
        fresh_seconds: float = KEYS_FRESH_SECONDS,
    ) -> None:
        super().__init__(fetch, public_keys, clock, fresh_seconds)


def jwks_over_http(session: aiohttp.ClientSession, url: str) -> FetchJwks:
    """Return a function that fetches a JWKS document from an address of settings.

    No redirect is followed, at most 64 KiB are read.
    """

    async def fetch() -> object:
        try:
            async with session.get(url, allow_redirects=False) as response:
                if response.status != 200:  # noqa: PLR2004 - OK
                    raise UnavailableError("keys_unavailable", "Auth gave no keys.")
                body = await response.content.read(_JWKS_LIMITS.body_bytes)
        except aiohttp.ClientError as error:
            raise UnavailableError("keys_unavailable", "Auth gave no keys.") from error
        return parse_json(body, _JWKS_LIMITS)

    return fetch
