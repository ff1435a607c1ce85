"""Who asks, and whether now: cache, revocation, fallback of limits."""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from libs.chassis.security import AccessTokenVerifier, JwksSource
from libs.crypto import SigningKey
from libs.crypto.jwk import jwks
from libs.kernel import FrozenClock, SessionId, UnavailableError, UserId
from libs.kernel.rates import Charge, Decision, Limit, LocalBuckets
from services.gateway.clients import AuthTokenVerifier
from services.gateway.domain.errors import TokenRefusedError, TooManyRequestsError
from services.gateway.domain.limits import LimitClass
from services.gateway.ports import Identity
from services.gateway.service import Authenticator, Limiter
from tests.support.forged_tokens import Tokens


class StubVerifier:
    """Takes any token as the name of a user; counts."""

    def __init__(self, clock: FrozenClock) -> None:
        self.calls = 0
        self._clock = clock

    async def verify(self, token: str) -> Identity:
        """Return an identity for five minutes."""
        self.calls += 1
        if token == "bad":
            raise TokenRefusedError("token_invalid", "No.")
        expires_at = self._clock.now().timestamp() + 300
        return Identity(UserId(token), SessionId(f"s-{token}"), (), expires_at)


class RevokedSet:
    """Sessions revoked by hand."""

    def __init__(self) -> None:
        self.revoked: set[str] = set()

    def is_revoked(self, session_id: SessionId) -> bool:
        """Tell."""
        return session_id in self.revoked


class SwitchedBuckets:
    """Shared limits that can be taken away."""

    def __init__(self, clock: FrozenClock) -> None:
        self.is_away = False
        self.calls = 0
        self._clock = clock
        self._buckets = LocalBuckets()

    async def charge(self, charges: Sequence[Charge]) -> Decision:
        """Charge or raise."""
        self.calls += 1
        if self.is_away:
            raise UnavailableError("limits_unavailable", "Away.")
        return self._buckets.charge(charges, self._clock.monotonic())


@pytest.fixture
def clock() -> FrozenClock:
    """Time that stands still."""
    return FrozenClock()


async def test_a_good_token_is_remembered_for_a_while(
    clock: FrozenClock,
) -> None:
    """The cache answers for 25 seconds (JW-4)."""
    verifier = StubVerifier(clock)
    authenticator = Authenticator(verifier, RevokedSet(), clock)
    assert authenticator.recall(b"Bearer ann") is None
    await authenticator.authenticate(b"Bearer ann")
    recalled = authenticator.recall(b"Bearer ann")
    assert recalled is not None
    assert recalled.user_id == "ann"
    clock.advance(timedelta(seconds=25))
    assert authenticator.recall(b"Bearer ann") is None
    assert verifier.calls == 1


async def test_jw_4_a_key_that_was_taken_away_is_refused_within_a_minute(
    clock: FrozenClock,
) -> None:
    """JW-4: by two caches behind each other, whenever and however its tokens come."""
    keys = [SigningKey.generate("k1")]
    tokens = Tokens(keys[0], "https://chat.example.test")
    now = int(clock.now().timestamp())

    async def fetch() -> object:
        return jwks(keys)

    source = JwksSource(fetch, clock)
    verifier = AccessTokenVerifier(source, tokens.issuer, clock)
    authenticator = Authenticator(AuthTokenVerifier(verifier), RevokedSet(), clock)
    sent = [tokens.access(iat=now, exp=now + 300).encode() for _ in range(60)]
    await authenticator.authenticate(b"Bearer " + sent[0])
    keys[:] = [SigningKey.generate("k2")]  # the worst moment: just after a fetch
    last_taken = 0
    for second in range(90):
        for scheme in (b"Bearer ", b"bearer ", b"BEARER ")[: second // 25 + 1]:
            for token in sent[: second + 1]:
                if await _is_taken(authenticator, scheme + token):
                    last_taken = second
        if source._refreshing is not None:
            await source._refreshing
        clock.advance(timedelta(seconds=1))
    assert 30 < last_taken < 60
    await source.aclose()


async def _is_taken(authenticator: Authenticator, header: bytes) -> bool:
    try:
        if authenticator.recall(header) is None:
            await authenticator.authenticate(header)
    except TokenRefusedError:
        return False
    return True


async def test_sr_1_a_revoked_session_is_refused_although_its_token_is_cached(
    clock: FrozenClock,
) -> None:
    """Revocation is asked on every request."""
    sessions = RevokedSet()
    authenticator = Authenticator(StubVerifier(clock), sessions, clock)
    await authenticator.authenticate(b"Bearer ann")
    sessions.revoked.add("s-ann")
    with pytest.raises(TokenRefusedError) as caught:
        authenticator.recall(b"Bearer ann")
    assert caught.value.code == "session_revoked"
    with pytest.raises(TokenRefusedError):
        await authenticator.authenticate(b"Bearer ann")


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "token_missing"),
        (b"", "token_invalid"),
        (b"Bearer", "token_invalid"),
        (b"Bearer ", "token_invalid"),
        (b"Basic YTpi", "token_invalid"),
        (b"Bearer \xff", "token_invalid"),
        (b"Bearer " + b"x" * 5_000, "token_invalid"),
        (b"Bearer bad", "token_invalid"),
    ],
)
async def test_other_headers_are_refused_with_their_code(
    clock: FrozenClock, header: bytes | None, code: str
) -> None:
    """RFC 6750: Bearer is the only scheme, and a bad token is not remembered."""
    authenticator = Authenticator(StubVerifier(clock), RevokedSet(), clock)
    with pytest.raises(TokenRefusedError) as caught:
        await authenticator.authenticate(header)
    assert caught.value.code == code
    assert authenticator.recall(header) is None


async def test_the_cache_is_bounded(clock: FrozenClock) -> None:
    """The oldest token is forgotten when the cache is full."""
    authenticator = Authenticator(StubVerifier(clock), RevokedSet(), clock, 2)
    for name in (b"a", b"b", b"c"):
        await authenticator.authenticate(b"Bearer " + name)
    assert authenticator.recall(b"Bearer a") is None
    assert authenticator.recall(b"Bearer c") is not None


ANN = Identity(UserId("ann"), SessionId("laptop"), (), math.inf)
BOB = Identity(UserId("bob"), SessionId("desk"), (), math.inf)


def limiter_of(buckets: SwitchedBuckets, clock: FrozenClock) -> Limiter:
    """Return a limiter with an open and a fail-closed class."""
    classes = [
        LimitClass("default", Limit(1, 2), Limit(1, 1)),
        LimitClass("login", Limit(1, 2), is_fail_closed=True),
    ]
    return Limiter(buckets, {limits.name: limits for limits in classes}, clock)


async def test_a_full_limit_tells_which_and_how_long(clock: FrozenClock) -> None:
    """429 names the kind of limit, never the address."""
    limiter = limiter_of(SwitchedBuckets(clock), clock)
    await limiter.admit("default", address="192.0.2.1", identity=ANN)
    with pytest.raises(TooManyRequestsError) as caught:
        await limiter.admit("default", address="192.0.2.1", identity=ANN)
    assert caught.value.details == {"limit": "user"}
    assert caught.value.retry_after_seconds == 1
    await limiter.admit("default", address="192.0.2.1", identity=BOB)


async def test_rl_2_one_session_leaves_room_for_its_users_others(
    clock: FrozenClock,
) -> None:
    """RL-2: each session alone, and all of them together as the user."""
    limits = LimitClass("default", Limit(1, 9), Limit(1, 3), Limit(1, 2))
    limiter = Limiter(SwitchedBuckets(clock), {"default": limits}, clock)
    phone = replace(ANN, session_id=SessionId("phone"))

    async def refused_by(identity: Identity) -> object:
        with pytest.raises(TooManyRequestsError) as caught:
            await limiter.admit("default", address="a", identity=identity)
        return caught.value.details["limit"]

    for _ in range(2):
        await limiter.admit("default", address="a", identity=ANN)
    assert await refused_by(ANN) == "session"
    await limiter.admit("default", address="a", identity=phone)
    assert await refused_by(phone) == "user"
    await limiter.admit("default", address="a", identity=BOB)


async def test_without_redis_this_process_counts_alone(clock: FrozenClock) -> None:
    """RL-4: reads go on within the same limits; Redis is asked once a second."""
    buckets = SwitchedBuckets(clock)
    buckets.is_away = True
    limiter = limiter_of(buckets, clock)
    await limiter.admit("default", address="a", identity=None)
    await limiter.admit("default", address="a", identity=None)
    with pytest.raises(TooManyRequestsError):
        await limiter.admit("default", address="a", identity=None)
    assert buckets.calls == 1
    buckets.is_away = False
    clock.advance(timedelta(seconds=1.1))
    await limiter.admit("default", address="a", identity=None)
    assert buckets.calls == 2


async def test_rl_4_without_redis_each_gateway_allows_its_part(
    clock: FrozenClock,
) -> None:
    """RL-4: three of them together no more than one limit, one each at least."""
    buckets = SwitchedBuckets(clock)
    buckets.is_away = True
    limits = {"default": LimitClass("default", Limit(9, 6), Limit(1, 1))}
    gateways = [Limiter(buckets, limits, clock, lambda: 3) for _ in range(3)]

    async def accepted() -> int:
        count = 0
        for limiter in gateways:
            for _ in range(6):
                try:
                    await limiter.admit("default", address="a", identity=None)
                except TooManyRequestsError:
                    break
                count += 1
        return count

    assert await accepted() == 6
    clock.advance(timedelta(seconds=0.4))
    assert await accepted() == 3
    await gateways[0].admit("default", address=None, identity=ANN)


async def test_without_redis_login_is_refused(clock: FrozenClock) -> None:
    """RL-4: login fails closed with 503."""
    buckets = SwitchedBuckets(clock)
    buckets.is_away = True
    with pytest.raises(UnavailableError):
        await limiter_of(buckets, clock).admit("login", address="a", identity=None)
