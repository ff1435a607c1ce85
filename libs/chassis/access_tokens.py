"""Access tokens: what a client shows at the gateway and at chat's sockets (JW rows)."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

import aiohttp
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from libs.chassis.payloads import JsonLimits, parse_json
from libs.chassis.tokens import (
    TokenInvalidError,
    check_text,
    check_times,
    parse_token,
    text_claim,
    texts_claim,
)
from libs.crypto import SigningKeysError, public_keys
from libs.kernel import AppError, Clock, SystemClock, UnavailableError

TYP = "at+jwt"
AUDIENCE = "parley"
LEEWAY_SECONDS = 30
LIFETIME_SECONDS = 300
KEYS_FRESH_SECONDS = 30.0
_MAX_CACHED = 20_000
_CACHE_SECONDS = 25.0
_STALE_SECONDS = 2.0
_FETCH_SECONDS = 3.0
_JWKS_LIMITS = JsonLimits(body_bytes=64 * 1024, depth=6)
_log = structlog.get_logger()

FetchJwks = Callable[[], Awaitable[object]]


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
    """

    user_id: str
    session_id: str
    token_id: str
    roles: tuple[str, ...]
    issued_at: int
    expires_at: int


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
        self._cache: OrderedDict[bytes, tuple[AccessClaims, float]] = OrderedDict()

    async def verify(self, token: str) -> AccessClaims:
        """Return the claims of a valid token.

        Raises:
            TokenInvalidError: It is not valid now; says not why.
            UnavailableError: The keys cannot be had.
        """
        digest = sha256(token.encode(errors="replace")).digest()
        now = self._clock.now().timestamp()
        cached = self._cache.get(digest)
        if cached is not None and now < cached[1]:
            return cached[0]
        claims = await self._verify(token, now)
        valid_until = min(now + _CACHE_SECONDS, claims.expires_at + LEEWAY_SECONDS)
        self._cache[digest] = (claims, valid_until)
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
        )


class JwksSource:
    """Auth's public keys, cached.

    They are fetched again in the background when older than 30 s, while the caller
    waits when older than 32 s, and at once for an unknown id; not more than once in
    30 s: random ids cost auth nothing. With the verifier's 25 s a key that was taken
    away is refused within a minute (JW-4). While auth is away the last keys stay.

    Args:
        fetch: Returns the parsed JWKS document; see `jwks_over_http`.
        fresh_seconds: How long an answer is not asked for again; 30 at most, or a
            key that was taken away would live longer than a minute.
    """

    def __init__(
        self,
        fetch: FetchJwks,
        clock: Clock | None = None,
        fresh_seconds: float = KEYS_FRESH_SECONDS,
    ) -> None:
        self._fetch = fetch
        self._fresh_seconds = fresh_seconds
        self._clock = clock or SystemClock()
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._refreshing: asyncio.Task[None] | None = None

    async def key(self, kid: str) -> Ed25519PublicKey | None:
        """Return the key of an id; see `KeySource.key`."""
        now = self._clock.monotonic()
        is_due = now - self._tried_at >= (self._fresh_seconds if self._keys else 1.0)
        if kid in self._keys:
            age = now - self._fetched_at
            if is_due and age >= self._fresh_seconds:
                refresh = self._start_refresh()
                if age >= self._fresh_seconds + _STALE_SECONDS:
                    await asyncio.shield(refresh)
            return self._keys.get(kid)
        if is_due or self._refreshing is not None:
            await asyncio.shield(self._start_refresh())
        if not self._keys:
            raise UnavailableError("keys_unavailable", "Auth's keys cannot be had.")
        return self._keys.get(kid)

    async def aclose(self) -> None:
        """Stop a refresh that is under way."""
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.wait({self._refreshing})

    def _start_refresh(self) -> "asyncio.Task[None]":
        if self._refreshing is None:
            self._tried_at = self._clock.monotonic()
            self._refreshing = asyncio.create_task(self._refresh(), name="jwks")
            self._refreshing.add_done_callback(self._on_refreshed)
        return self._refreshing

    def _on_refreshed(self, _: object) -> None:
        self._refreshing = None

    async def _refresh(self) -> None:
        try:
            async with asyncio.timeout(_FETCH_SECONDS):
                keys = public_keys(await self._fetch())
        except (AppError, SigningKeysError, TimeoutError, OSError) as error:
            _log.warning("keys_not_fetched", error=type(error).__name__)
            return
        self._fetched_at = self._clock.monotonic()
        self._keys = keys


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
