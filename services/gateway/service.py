"""Who a request comes from, and whether it may come now."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping

import structlog

from libs.kernel import Clock, UnavailableError
from libs.kernel.rates import Charge, Decision, LocalBuckets
from services.gateway.domain.errors import TokenRefusedError, TooManyRequestsError
from services.gateway.domain.limits import LimitClass, limit_headers
from services.gateway.ports import (
    Identity,
    RevokedSessions,
    SharedBuckets,
    TokenVerifier,
)

_TOKEN_MAX_BYTES = 4_096
_CACHE_MAX = 20_000
_CACHE_SECONDS = 25.0
_REDIS_PAUSE_SECONDS = 1.0

logger = structlog.get_logger()


class Authenticator:
    """Turns access tokens into identities.

    A token that was good is remembered by its hash for 25 s, never longer than it
    lives or than its verifier stands by its answer: remembering what is remembered
    already would let a key that was taken away work for more than a minute (JW-4).
    Whether its session was revoked is asked on every request.

    Args:
        verifier: Checks signature and claims.
        sessions: Knows revoked sessions.
        clock: For expiry.
        cache_max: Tokens remembered; above it the oldest are forgotten.
    """

    def __init__(
        self,
        verifier: TokenVerifier,
        sessions: RevokedSessions,
        clock: Clock,
        cache_max: int = _CACHE_MAX,
    ) -> None:
        self._verifier = verifier
        self._sessions = sessions
        self._clock = clock
        self._cache_max = cache_max
        self._known: OrderedDict[bytes, tuple[Identity, float]] = OrderedDict()

    def recall(self, authorization: bytes | None) -> Identity | None:
        """Return a remembered identity without any I/O, or None.

        Raises:
            TokenRefusedError: session_revoked.
        """
        if authorization is None:
            return None
        digest = hashlib.sha256(authorization).digest()
        known = self._known.get(digest)
        if known is None:
            return None
        identity, valid_until = known
        if valid_until <= self._clock.now().timestamp():
            del self._known[digest]
            return None
        return self._unrevoked(identity)

    async def authenticate(self, authorization: bytes | None) -> Identity:
        """Return whom an ``Authorization`` header speaks for.

        Args:
            authorization: Its value; only the scheme Bearer is known (RFC 6750).

        Raises:
            TokenRefusedError: token_missing, token_invalid, token_expired or
                session_revoked.
            UnavailableError: The keys to check it with cannot be had.
        """
        identity = await self._verifier.verify(_bearer(authorization))
        if authorization is not None:
            self._remember(hashlib.sha256(authorization).digest(), identity)
        return self._unrevoked(identity)

    def forget_all(self) -> None:
        """Empty the cache; every token is checked again."""
        self._known.clear()

    def _remember(self, digest: bytes, identity: Identity) -> None:
        valid_until = min(
            self._clock.now().timestamp() + _CACHE_SECONDS,
            identity.expires_at,
            identity.verified_until,
        )
        self._known[digest] = (identity, valid_until)
        if len(self._known) > self._cache_max:
            self._known.popitem(last=False)

    def _unrevoked(self, identity: Identity) -> Identity:
        if self._sessions.is_revoked(identity.session_id):
            raise TokenRefusedError("session_revoked", "The session has ended.")
        return identity


class Limiter:
    """Charges requests to the limits of their route's class.

    While Redis is away this process counts alone and allows its part of each limit;
    classes that are fail-closed are refused then. Redis is asked again once a second.

    Args:
        shared: The limits that all gateways share.
        classes: By name.
        clock: Monotonic.
        replicas: How many gateways share the limits.
    """

    def __init__(
        self,
        shared: SharedBuckets,
        classes: Mapping[str, LimitClass],
        clock: Clock,
        replicas: Callable[[], int] = lambda: 1,
    ) -> None:
        self._shared = shared
        self._classes = classes
        self._clock = clock
        self._replicas = replicas
        self._local = LocalBuckets()
        self._shared_from = 0.0

    async def admit(
        self,
        limit_class: str,
        *,
        address: str | None,
        identity: Identity | None,
        cost: int = 1,
    ) -> Decision:
        """Charge one request to an address, to a user and session, or to all at once.

        Args:
            limit_class: The route's.
            address: None: not charged.
            identity: None: not charged.
            cost: How many plain requests it weighs.

        Returns:
            What is left of the limit that will be reached first.

        Raises:
            TooManyRequestsError: A limit is reached; nothing was charged.
            UnavailableError: The class is fail-closed and Redis is away.
        """
        limits = self._classes[limit_class]
        charges = []
        if address is not None:
            charges.append(
                Charge(f"{limit_class}:address:{address}", limits.address, cost)
            )
        if identity is not None:
            charges += _own_charges(limits, identity, cost)
        return await self._charge(limits, charges) if charges else Decision()

    async def _charge(self, limits: LimitClass, charges: list[Charge]) -> Decision:
        decision = await self._charge_shared(charges)
        if decision is None:
            if limits.is_fail_closed:
                raise UnavailableError("limits_unavailable", "Limits are not known.")
            decision = self._charge_local(charges)
        if not decision.is_allowed:
            _, kind, _ = decision.subject.split(":", 2)
            raise TooManyRequestsError(
                decision.retry_after_seconds, kind, limit_headers(decision)
            )
        return decision

    def _charge_local(self, charges: list[Charge]) -> Decision:
        count = self._replicas()
        parts = [charge._replace(limit=charge.limit.part(count)) for charge in charges]
        return self._local.charge(parts, self._clock.monotonic())

    async def _charge_shared(self, charges: list[Charge]) -> Decision | None:
        """Ask Redis; None while it is away."""
        if self._clock.monotonic() < self._shared_from:
            return None
        try:
            return await self._shared.charge(charges)
        except UnavailableError:
            self._shared_from = self._clock.monotonic() + _REDIS_PAUSE_SECONDS
            logger.warning("shared_limits_lost")
            return None


def _own_charges(limits: LimitClass, identity: Identity, cost: int) -> list[Charge]:
    charges = []
    if limits.user is not None:
        subject = f"{limits.name}:user:{identity.user_id}"
        charges.append(Charge(subject, limits.user, cost))
    if limits.session is not None:
        subject = f"{limits.name}:session:{identity.session_id}"
        charges.append(Charge(subject, limits.session, cost))
    return charges


def _bearer(authorization: bytes | None) -> str:
    """Return the token of an ``Authorization`` header."""
    if authorization is None:
        raise TokenRefusedError("token_missing", "An access token is needed.")
    scheme, _, token = authorization.partition(b" ")
    if scheme.lower() != b"bearer" or not token or len(token) > _TOKEN_MAX_BYTES:
        raise TokenRefusedError("token_invalid", "The access token is not valid.")
    try:
        return token.decode("ascii")
    except UnicodeDecodeError:
        raise TokenRefusedError(
            "token_invalid", "The access token is not valid."
        ) from None
