"""Throttling of guesses and mails: one atomic step a decision (LT-1 to LT-5).

Three counters stand before a secret: failures of its subject from this client
address, failures of the subject from anywhere, and attempts of the client address
on any subject. The first is strict and the second lenient, so that an attacker
cannot lock the owner out who comes from elsewhere (LT-3). Each purpose counts apart.
"""

from typing import Final

import structlog
from redis.asyncio import Redis
from redis.commands.core import AsyncScript
from redis.exceptions import RedisError

from libs.kernel import UnavailableError, new_id
from services.auth.cache.keys import ThrottleKeys
from services.auth.cache.limits import (
    RUNNING_WAIT_SECONDS,
    GuessLimits,
    limits_of,
    throttled,
)
from services.auth.domain import (
    EmailAddress,
    Guess,
)

_HOUR_MS: Final = 3_600_000
_log = structlog.get_logger(__name__)

# KEYS: pair, account, failed, running. ARGV: attempt, pair_free, account_free,
# address_limit, address_window_ms, delay_max_ms, remembered_ms, running_wait_ms,
# account_delay_ms (the account's first wait; the pair's is a second).
# Returns the milliseconds to wait or 0, and how many were wrong before. A refused
# attempt counts for nothing. An attempt that nobody ends (its process died) counts
# until the window has passed it.
_BEGIN = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function wait_of(key, free, first)
  local state = redis.call('HMGET', key, 'failures', 'last')
  local failures = tonumber(state[1] or 0)
  if failures < free then return 0 end
  local longest = math.max(tonumber(ARGV[6]), first)
  local delay = math.min(longest, first * 2 ^ math.min(failures - free, 30))
  return tonumber(state[2]) + delay - now
end
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - ARGV[5])
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', now - ARGV[5])
local wait = math.max(wait_of(KEYS[1], tonumber(ARGV[2]), 1000),
                      wait_of(KEYS[2], tonumber(ARGV[3]), tonumber(ARGV[9])))
local failed = redis.call('ZCARD', KEYS[3])
if failed >= tonumber(ARGV[4]) then
  local oldest = redis.call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')
  wait = math.max(wait, tonumber(oldest[2]) + ARGV[5] - now)
elseif failed + redis.call('ZCARD', KEYS[4]) >= tonumber(ARGV[4]) then
  wait = math.max(wait, tonumber(ARGV[8]))
end
if wait > 0 then return {math.ceil(wait), 0} end
for index = 1, 2 do
  redis.call('HINCRBY', KEYS[index], 'failures', 1)
  redis.call('HSET', KEYS[index], 'last', now)
  redis.call('PEXPIRE', KEYS[index], ARGV[7])
end
redis.call('ZADD', KEYS[4], now, ARGV[1])
redis.call('PEXPIRE', KEYS[4], ARGV[5])
return {0, tonumber(redis.call('HGET', KEYS[2], 'wrong') or 0)}
"""

# KEYS: pair, account, failed, running. ARGV: attempt, outcome, address_window_ms,
# remembered_ms.
_END = """
local begun = redis.call('ZSCORE', KEYS[4], ARGV[1])
redis.call('ZREM', KEYS[4], ARGV[1])
if ARGV[2] == 'succeeded' then return redis.call('DEL', KEYS[1], KEYS[2]) end
if ARGV[2] == 'failed' then
  if begun then redis.call('ZADD', KEYS[3], begun, ARGV[1]) end
  redis.call('HINCRBY', KEYS[2], 'wrong', 1)
  redis.call('PEXPIRE', KEYS[2], ARGV[4])
  return redis.call('PEXPIRE', KEYS[3], ARGV[3])
end
for index = 1, 2 do
  if tonumber(redis.call('HGET', KEYS[index], 'failures') or 0) > 0 then
    redis.call('HINCRBY', KEYS[index], 'failures', -1)
  end
end
return 0
"""

# KEYS: counter. ARGV: window_ms. Returns the count in this window.
_COUNT = """
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return count
"""


class RedisGuessThrottle:
    """Counts guesses for every auth process together, by the server's clock."""

    def __init__(self, redis: Redis, keys: ThrottleKeys, limits: GuessLimits) -> None:
        self._begin = redis.register_script(_BEGIN)
        self._end = redis.register_script(_END)
        self._keys = keys
        self._limits = limits

    async def begin(self, guess: Guess) -> "RedisAttempt":
        """Admit and count an attempt; see `GuessThrottle.begin`."""
        keys = self._keys.guess(guess)
        limits = limits_of(guess.purpose, self._limits)
        attempt_id = new_id()
        arguments: list[str | int] = [
            attempt_id,
            limits.pair_free,
            limits.account_free,
            limits.address_limit,
            limits.address_window_seconds * 1_000,
            limits.delay_max_seconds * 1_000,
            limits.remembered_seconds * 1_000,
            RUNNING_WAIT_SECONDS * 1_000,
            limits.account_delay_seconds * 1_000,
        ]
        try:
            wait, wrong_before = await self._begin(keys, arguments)
        except (RedisError, OSError, TimeoutError) as error:
            raise _unavailable(error) from error
        if wait > 0:
            raise throttled(guess.purpose, wait / 1_000)
        return RedisAttempt(
            self._end, keys, limits, attempt_id, wrong_before=wrong_before
        )


class RedisAttempt:
    """See `Attempt`; a lost answer leaves it counted as a failure."""

    def __init__(
        self,
        end: AsyncScript,
        keys: list[str],
        limits: GuessLimits,
        attempt_id: str,
        *,
        wrong_before: int,
    ) -> None:
        self._end = end
        self._keys = keys
        self._limits = limits
        self.attempt_id = attempt_id
        self.wrong_before = wrong_before

    async def failed(self) -> None:
        """Count it for the client address."""
        await self._finish("failed")

    async def succeeded(self) -> None:
        """Clear the account's failures."""
        await self._finish("succeeded")

    async def withdraw(self) -> None:
        """Uncount it."""
        await self._finish("withdrawn")

    async def _finish(self, outcome: str) -> None:
        try:
            arguments: list[str | int] = [
                self.attempt_id,
                outcome,
                self._limits.address_window_seconds * 1_000,
                self._limits.remembered_seconds * 1_000,
            ]
            await self._end(self._keys, arguments)
        except (RedisError, OSError, TimeoutError) as error:
            _log.warning("guess_counter_not_cleared", error_class=type(error).__name__)


class RedisMailThrottle:
    """Counts mails to an address in an hour that its first mail opens."""

    def __init__(self, redis: Redis, keys: ThrottleKeys, *, hourly_limit: int) -> None:
        self._count = redis.register_script(_COUNT)
        self._keys = keys
        self._limit = hourly_limit

    async def is_admitted(self, email: EmailAddress) -> bool:
        """Count one mail; see `MailThrottle.is_admitted`."""
        keys = [self._keys.mail(email)]
        try:
            count = int(await self._count(keys=keys, args=[_HOUR_MS]))
        except (RedisError, OSError, TimeoutError) as error:
            raise _unavailable(error) from error
        return count <= self._limit


def _unavailable(error: Exception) -> UnavailableError:
    # Fail closed: without counters nobody may guess (faults.md, Valkey row).
    _log.warning("login_counters_unreachable", error_class=type(error).__name__)
    return UnavailableError(
        "sign_in_unavailable", "Sign-in is not possible now.", retry_after_seconds=5
    )
