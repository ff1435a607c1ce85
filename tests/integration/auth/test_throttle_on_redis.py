"""The Lua counters on a real server: same rules as in memory, and atomic."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from redis.asyncio import BlockingConnectionPool, Redis

from libs.kernel import RateLimitedError, UnavailableError, new_id
from services.auth.cache import (
    GuessLimits,
    RedisGuessThrottle,
    RedisMailThrottle,
    ThrottleKeys,
)
from services.auth.domain import (
    BlindIndex,
    EmailAddress,
    Guess,
    GuessPurpose,
)
from tests.support.guess_budget import GuessBudget

pytestmark = pytest.mark.integration

KEYS = ThrottleKeys(
    BlindIndex(current_id="k", keys={"k": b"x" * 32}, purpose="throttle")
)
LIMITS = GuessLimits()
FAST = GuessLimits(delay_max_seconds=1, address_window_seconds=1)


def _process(stack):
    """Return a client with a small pool, as each process has one."""
    url = stack.redis_url("auth")
    return Redis.from_pool(BlockingConnectionPool.from_url(url, max_connections=8))


@pytest.fixture
async def redis(stack):
    """Auth's own account on the server."""
    async with Redis.from_url(stack.redis_url("auth")) as client:
        yield client


@pytest.fixture
def email():
    """An address that no other test uses."""
    return EmailAddress.parse(f"{new_id()}@example.test")


@pytest.fixture
def address():
    """A network that no other test uses."""
    return f"2001:db8:{new_id()[-4:]}:{new_id()[-8:-4]}::1"


def _guess(email, address, purpose=GuessPurpose.PASSWORD):
    return Guess(purpose, email.key, address)


async def _admitted(throttle, email, address, purpose=GuessPurpose.PASSWORD):
    try:
        return await throttle.begin(_guess(email, address, purpose))
    except RateLimitedError:
        return None


@pytest.mark.parametrize("purpose", list(GuessPurpose))
async def test_lt_2_lt_5_five_of_two_hundred_over_three_processes(
    stack, email, address, purpose
):
    """LT-2, LT-5: 200 parallel attempts over 3 processes: 5 reach the verifier."""
    async with AsyncExitStack() as opened:
        throttles = [
            RedisGuessThrottle(await opened.enter_async_context(one), KEYS, LIMITS)
            for one in (_process(stack) for _ in range(3))
        ]
        budget = GuessBudget()
        admitted = await asyncio.gather(
            *(_admitted(throttles[n % 3], email, address, purpose) for n in range(200))
        )
    assert 5 <= sum(attempt is not None for attempt in admitted) <= budget.admissible


async def test_lt_1_wait_is_told_and_enough(redis, email, address):
    """LT-1: the 6th attempt is told to wait; after that it is admitted."""
    throttle = RedisGuessThrottle(redis, KEYS, LIMITS)
    for _ in range(5):
        await throttle.begin(_guess(email, address))
    with pytest.raises(RateLimitedError) as caught:
        await throttle.begin(_guess(email, address))
    wait = caught.value.retry_after_seconds
    assert 0.5 < wait <= 1
    await asyncio.sleep(wait + 0.02)
    assert await _admitted(throttle, email, address)
    with pytest.raises(RateLimitedError) as caught:
        await throttle.begin(_guess(email, address))
    assert 1.5 < caught.value.retry_after_seconds <= 2


async def test_lt_3_owner_elsewhere_signs_in(redis, email, address):
    """LT-3: one throttled address does not lock out another."""
    throttle = RedisGuessThrottle(redis, KEYS, LIMITS)
    for _ in range(6):
        await _admitted(throttle, email, address)
    assert await _admitted(throttle, email, "192.0.2.1")


async def test_lt_4_address_is_bounded_over_accounts(redis, address):
    """LT-4: one address gets 50 attempts in its window, then waits for the oldest."""
    throttle = RedisGuessThrottle(redis, KEYS, FAST)
    emails = [EmailAddress.parse(f"{new_id()}@example.test") for _ in range(60)]
    admitted = [await _admitted(throttle, one, address) for one in emails]
    attempts = [attempt for attempt in admitted if attempt is not None]
    assert len(attempts) == 50
    for attempt in attempts:
        await attempt.failed()
    assert await _admitted(throttle, emails[-1], address) is None
    await asyncio.sleep(1.1)
    assert await _admitted(throttle, emails[0], address)


async def test_lt_4_crowd_behind_one_address_waits_a_second(redis, address):
    """LT-4: a full room of running sign-ins is told to come back soon."""
    throttle = RedisGuessThrottle(redis, KEYS, LIMITS)
    emails = [EmailAddress.parse(f"{new_id()}@example.test") for _ in range(51)]
    attempts = [await throttle.begin(_guess(one, address)) for one in emails[:50]]
    with pytest.raises(RateLimitedError) as caught:
        await throttle.begin(_guess(emails[50], address))
    assert caught.value.retry_after_seconds == 1
    for attempt in attempts:
        await attempt.succeeded()
    await throttle.begin(_guess(emails[50], address))


async def test_success_and_withdrawal_uncount(redis, email, address):
    """Only failures count, towards account and address alike."""
    throttle = RedisGuessThrottle(redis, KEYS, GuessLimits(address_limit=5))
    for number in range(20):
        attempt = await throttle.begin(_guess(email, address))
        if number % 2:
            await attempt.succeeded()
        else:
            await attempt.withdraw()
    for _ in range(5):
        await throttle.begin(_guess(email, address))
    assert await _admitted(throttle, email, address) is None


async def test_wrong_ones_are_told_until_the_right_one(redis, email, address):
    """An attempt knows how many were wrong before it, from anywhere; not what runs."""
    throttle = RedisGuessThrottle(redis, KEYS, LIMITS)
    for number in range(3):
        attempt = await throttle.begin(_guess(email, f"192.0.2.{number}"))
        assert attempt.wrong_before == number
        await attempt.failed()
    await throttle.begin(_guess(email, address))
    right = await throttle.begin(_guess(email, address))
    assert right.wrong_before == 3
    await right.succeeded()
    assert (await throttle.begin(_guess(email, address))).wrong_before == 0


async def test_mf_2_short_codes_have_ten_tries_an_hour(redis, email):
    """MF-2: from ten networks ten tries, the eleventh waits for an hour."""
    throttle = RedisGuessThrottle(redis, KEYS, LIMITS)
    purpose = GuessPurpose.ONE_TIME_CODE
    for number in range(10):
        assert await _admitted(throttle, email, f"192.0.2.{number}", purpose)
    with pytest.raises(RateLimitedError) as caught:
        await throttle.begin(_guess(email, "192.0.2.99", purpose))
    assert 3_590 < caught.value.retry_after_seconds <= 3_600


async def test_counters_expire(redis, email, address):
    """No counter is kept for ever."""
    throttle = RedisGuessThrottle(redis, KEYS, LIMITS)
    await (await throttle.begin(_guess(email, address))).failed()
    await throttle.begin(_guess(email, address))
    await RedisMailThrottle(redis, KEYS, hourly_limit=1).is_admitted(email)
    for key in (*KEYS.guess(_guess(email, address)), KEYS.mail(email)):
        assert 0 < await redis.ttl(key) <= 86_400


async def test_mails_are_bounded_under_parallel_requests(redis, email):
    """Twenty requests at once send as many mails as one after the other."""
    throttle = RedisMailThrottle(redis, KEYS, hourly_limit=5)
    admitted = await asyncio.gather(*(throttle.is_admitted(email) for _ in range(20)))
    assert sum(admitted) == 5


async def test_sign_in_is_closed_while_redis_is_away(email, address):
    """Without counters nobody may guess: 503, not open doors."""
    async with Redis.from_url("redis://127.0.0.1:1/0", socket_timeout=1) as gone:
        with pytest.raises(UnavailableError) as caught:
            await RedisGuessThrottle(gone, KEYS, LIMITS).begin(_guess(email, address))
        assert caught.value.code == "sign_in_unavailable"
        with pytest.raises(UnavailableError):
            await RedisMailThrottle(gone, KEYS, hourly_limit=1).is_admitted(email)
