"""Throttling in memory; the same rules run on Redis in the integration tests."""

from datetime import timedelta

import pytest

from libs.kernel import FrozenClock
from services.auth.cache import (
    GuessLimits,
    MemoryGuessThrottle,
    MemoryMailThrottle,
    ThrottleKeys,
)
from services.auth.domain import (
    BlindIndex,
    EmailAddress,
    Guess,
    GuessPurpose,
)
from services.auth.domain.errors import (
    AttemptsThrottledError,
    LoginThrottledError,
)

ANN = EmailAddress.parse("ann@example.test")
OTHERS = [purpose for purpose in GuessPurpose if purpose is not GuessPurpose.PASSWORD]
A, B = "10.0.0.1", "10.0.0.2"


@pytest.fixture
def clock():
    """A clock that moves when told to."""
    return FrozenClock()


@pytest.fixture
def throttle(clock):
    """A throttle with the limits of production."""
    return MemoryGuessThrottle(clock, GuessLimits())


def _guess(email=ANN, address=A, purpose=GuessPurpose.PASSWORD):
    return Guess(purpose, email.key, address)


async def _refusal(throttle, email=ANN, address=A):
    with pytest.raises(LoginThrottledError) as caught:
        await throttle.begin(_guess(email, address))
    return caught.value.retry_after_seconds


async def test_lt_1_five_free_then_doubling_waits(throttle, clock):
    """LT-1: the 6th attempt waits; each further one twice as long, at most 900 s."""
    for _ in range(5):
        await throttle.begin(_guess())
    for expected in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900):
        assert await _refusal(throttle) == expected
        clock.advance(timedelta(seconds=expected))
        await throttle.begin(_guess())


async def test_lt_1_success_clears_the_failures(throttle):
    """LT-1: only consecutive failures count."""
    for _ in range(4):
        await throttle.begin(_guess())
    await (await throttle.begin(_guess())).succeeded()
    for _ in range(5):
        await throttle.begin(_guess())
    await _refusal(throttle)


async def test_withdrawn_attempt_does_not_count(throttle):
    """An attempt that no password was checked for costs nothing."""
    for _ in range(20):
        await (await throttle.begin(_guess())).withdraw()
    await throttle.begin(_guess())


async def test_lt_3_owner_elsewhere_is_not_locked_out(throttle):
    """LT-3: while one address is throttled, another signs in."""
    for _ in range(5):
        await throttle.begin(_guess())
    await _refusal(throttle)
    await throttle.begin(_guess(ANN, B))


async def test_lt_3_guessing_from_many_addresses_is_slowed_too(throttle):
    """LT-1: an account has a bound over all addresses."""
    for number in range(50):
        await throttle.begin(_guess(ANN, f"10.1.{number}.1"))
    assert await _refusal(throttle, address="10.2.0.1") == 1


@pytest.mark.parametrize("purpose", OTHERS)
async def test_lt_5_every_secret_has_the_budget_of_the_password(throttle, purpose):
    """LT-5: codes, links and tokens: 5 free from one address, the 6th waits."""
    for _ in range(5):
        await (await throttle.begin(_guess(purpose=purpose))).failed()
    with pytest.raises(AttemptsThrottledError) as caught:
        await throttle.begin(_guess(purpose=purpose))
    assert caught.value.retry_after_seconds == 1
    await throttle.begin(_guess())
    await throttle.begin(_guess(purpose=purpose, address=B))


async def test_lt_5_links_are_counted_by_network(throttle):
    """LT-5: a token names its owner itself, so who tries is what is counted."""
    for _ in range(5):
        await throttle.begin(Guess.of_bearer(GuessPurpose.RESET, A))
    with pytest.raises(AttemptsThrottledError):
        await throttle.begin(Guess.of_bearer(GuessPurpose.RESET, A))
    for number in range(60):
        await throttle.begin(Guess.of_bearer(GuessPurpose.RESET, f"10.3.{number}.1"))


@pytest.mark.parametrize(
    "purpose", [GuessPurpose.ONE_TIME_CODE, GuessPurpose.RECOVERY_CODE]
)
async def test_mf_2_short_codes_have_ten_tries_an_hour(throttle, clock, purpose):
    """MF-2: wherever they come from, ten failures close an account for an hour."""
    for number in range(10):
        await throttle.begin(_guess(address=f"10.4.{number}.1", purpose=purpose))
    clock.advance(timedelta(minutes=59))
    with pytest.raises(AttemptsThrottledError) as caught:
        await throttle.begin(_guess(purpose=purpose))
    assert caught.value.retry_after_seconds == 60
    clock.advance(timedelta(minutes=1))
    await throttle.begin(_guess(purpose=purpose))


async def test_lt_4_spraying_is_bounded_by_address(throttle, clock):
    """LT-4: 50 failures in 10 minutes from one address, over any accounts."""
    for number in range(50):
        email = EmailAddress.parse(f"u{number}@example.test")
        await (await throttle.begin(_guess(email, A))).failed()
    assert await _refusal(throttle) == 600
    clock.advance(timedelta(seconds=601))
    await throttle.begin(_guess())


async def test_lt_4_crowd_behind_one_address_waits_a_second(throttle):
    """LT-4: sign-ins that are still looked at fill the room, but not for long."""
    attempts = [
        await throttle.begin(_guess(EmailAddress.parse(f"u{number}@example.test")))
        for number in range(50)
    ]
    assert await _refusal(throttle) == 1
    for attempt in attempts:
        await attempt.succeeded()
    await throttle.begin(_guess())


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("10.0.0.1", "10.0.0.2", False),
        ("nonsense", "", True),
    ],
)
def test_client_is_an_ipv4_address_or_an_ipv6_network(one, other, is_same):
    """A customer's 2**64 addresses are one client."""
    index = BlindIndex(current_id="k", keys={"k": b"x" * 32}, purpose="throttle")
    keys = ThrottleKeys(index)
    assert (
        keys.guess(_guess(address=one)) == keys.guess(_guess(address=other))
    ) is is_same


def test_redis_keys_hold_no_address():
    """Neither mail address nor client address is readable in Redis."""
    index = BlindIndex(current_id="k", keys={"k": b"x" * 32}, purpose="throttle")
    keys = ThrottleKeys(index)
    for key in (*keys.guess(_guess()), keys.mail(ANN)):
        assert key.startswith("auth:")
        assert "ann" not in key.removeprefix("auth:")
        assert A not in key


async def test_mails_to_an_address_are_bounded():
    """Nobody's mailbox is filled by a stranger's clicks."""
    throttle = MemoryMailThrottle(limit=2)
    assert [await throttle.is_admitted(ANN) for _ in range(3)] == [True, True, False]
