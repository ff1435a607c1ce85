"""Rate limits in Redis: one script, the server's clock, all keys or none."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from libs.kernel import UnavailableError
from libs.kernel.rates import Charge, Decision

_MICROSECONDS = 1_000_000
_DEADLINE_SECONDS = 0.5  # a frozen server must not cost every request its timeout

# KEYS: one a limit. ARGV: interval in us and burst, in turn. The clock is Redis's
# own, so several gateways agree (security.md RL-1). Returns the wait in us and the
# number of the limit that refused, or 0 and 0.
_GCRA = """
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local tats = {}
for i, key in ipairs(KEYS) do
  local interval = tonumber(ARGV[2 * i - 1])
  local tolerance = interval * tonumber(ARGV[2 * i])
  local tat = math.max(tonumber(redis.call('GET', key) or now), now) + interval
  local wait = tat - tolerance - now
  if wait >= 1 then
    return {string.format('%.0f', math.ceil(wait)), i}
  end
  tats[i] = tat
end
for i, key in ipairs(KEYS) do
  local milliseconds = math.max(1, math.ceil((tats[i] - now) / 1000))
  redis.call('SET', key, string.format('%.0f', tats[i]), 'PX', milliseconds)
end
return {'0', 0}
"""


class RedisBuckets:
    """Limits that all processes of a service share.

    Args:
        redis: The service's own account.
        key: Names the key of a subject.
    """

    def __init__(self, redis: Redis, key: Callable[[str], str]) -> None:
        self._script = redis.register_script(_GCRA)
        self._key = key

    async def charge(self, charges: Sequence[Charge]) -> Decision:
        """Charge one request to all limits, or to none of them.

        Raises:
            UnavailableError: Redis does not answer; nothing may be assumed.
        """
        arguments: list[str | int] = []
        for charge in charges:
            interval = charge.limit.interval_seconds * _MICROSECONDS
            arguments += [f"{interval:.3f}", charge.limit.burst]
        keys = [self._key(charge.subject) for charge in charges]
        try:
            async with asyncio.timeout(_DEADLINE_SECONDS):
                answer = cast(
                    "list[Any]", await self._script(keys=keys, args=arguments)
                )
        except (RedisError, OSError, TimeoutError) as error:
            raise UnavailableError("limits_unavailable", "Redis is away.") from error
        wait, refused = int(answer[0]), int(answer[1])
        if not wait:
            return Decision()
        return Decision(wait / _MICROSECONDS, charges[refused - 1].subject)
