"""Throttling in memory; the same rules run on Redis in the integration tests."""

from datetime import timedelta

import pytest

from libs.kernel import FrozenClock
from services.auth.cache import (
    LoginLimits,
    MemoryLoginThrottle,
    MemoryMailThrottle,
    ThrottleKeys,
)
from services.auth.domain import BlindIndex, EmailAddress, LoginThrottledError

ANN = EmailAddress.parse("ann@example.test")
A, B = "10.0.0.1", "10.0.0.2"


@pytest.fixture
def clock():
    """A clock that moves when told to."""
    return FrozenClock()


@pytest.fixture
def throttle(clock):
    """A throttle with the limits of production."""
    return MemoryLoginThrottle(clock, LoginLimits())


async def _refusal(throttle, email=ANN, address=A):
    with pytest.raises(LoginThrottledError) as caught:
        await throttle.begin(email, address)
    return caught.value.retry_after_seconds


async def test_lt_1_five_free_then_doubling_waits(throttle, clock):
    """LT-1: the 6th attempt waits; each further one twice as long, at most 900 s."""
    for _ in range(5):
        await throttle.begin(ANN, A)
    for expected in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900):
        assert await _refusal(throttle) == expected
        clock.advance(timedelta(seconds=expected))
        await throttle.begin(ANN, A)


async def test_lt_1_success_clears_the_failures(throttle):
    """LT-1: only consecutive failures count."""
    for _ in range(4):
        await throttle.begin(ANN, A)
    await (await throttle.begin(ANN, A)).succeeded()
    for _ in range(5):
        await throttle.begin(ANN, A)
    await _refusal(throttle)


async def test_withdrawn_attempt_does_not_count(throttle):
    """An attempt that no password was checked for costs nothing."""
    for _ in range(20):
        await (await throttle.begin(ANN, A)).withdraw()
    await throttle.begin(ANN, A)


async def test_lt_3_owner_elsewhere_is_not_locked_out(throttle):
    """LT-3: while one address is throttled, another signs in."""
    for _ in range(5):
        await throttle.begin(ANN, A)
    await _refusal(throttle)
    await throttle.begin(ANN, B)


async def test_lt_3_guessing_from_many_addresses_is_slowed_too(throttle):
    """LT-1: an account has a bound over all addresses."""
    for number in range(50):
        await throttle.begin(ANN, f"10.1.{number}.1")
    assert await _refusal(throttle, address="10.2.0.1") == 1


async def test_lt_4_spraying_is_bounded_by_address(throttle, clock):
    """LT-4: 50 failures in 10 minutes from one address, over any accounts."""
    for number in range(50):
        email = EmailAddress.parse(f"u{number}@example.test")
        await (await throttle.begin(email, A)).failed()
    assert await _refusal(throttle) == 600
    clock.advance(timedelta(seconds=601))
    await throttle.begin(ANN, A)


async def test_lt_4_crowd_behind_one_address_waits_a_second(throttle):
    """LT-4: sign-ins that are still looked at fill the room, but not for long."""
    attempts = [
        await throttle.begin(EmailAddress.parse(f"u{number}@example.test"), A)
        for number in range(50)
    ]
    assert await _refusal(throttle) == 1
    for attempt in attempts:
        await attempt.succeeded()
    await throttle.begin(ANN, A)


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
    assert (keys.login(ANN, one) == keys.login(ANN, other)) is is_same


def test_redis_keys_hold_no_address():
    """Neither mail address nor client address is readable in Redis."""
    index = BlindIndex(current_id="k", keys={"k": b"x" * 32}, purpose="throttle")
    keys = ThrottleKeys(index)
    for key in (*keys.login(ANN, A), keys.mail(ANN)):
        assert key.startswith("auth:")
        assert "ann" not in key.removeprefix("auth:")
        assert A not in key


async def test_mails_to_an_address_are_bounded():
    """Nobody's mailbox is filled by a stranger's clicks."""
    throttle = MemoryMailThrottle(limit=2)
    assert [await throttle.is_admitted(ANN) for _ in range(3)] == [True, True, False]
