"""Rate limits in Redis: one script, the server's clock, all keys of a request or none.

Requests that come while a call is under way share the next one: the driver costs far
more than the script, and an idle process still asks at once.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from libs.chassis.redis import SteadyScript
from libs.kernel import UnavailableError
from libs.kernel.rates import Charge, Decision, Limit, refuse, settle

_MICROSECONDS = 1_000_000
_DEADLINE_SECONDS = 0.5  # a frozen server must not cost every request its timeout
_TOGETHER_MAX = 64

# KEYS: the limits of all requests in turn. ARGV[1], blanks between: for each request
# how many they are, then for each limit its interval in us, its burst and the request's
# cost. The clock is Redis's own, so several processes agree (security.md RL-1). Returns
# for each request how far each limit's arrival time lies ahead in us; of a refused one
# the wait and the number of the limit that refused, both below zero, and nothing was
# charged. One text each way: the driver costs more for a value than the script.
_GCRA = """
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local next_word = string.gmatch(ARGV[1], '%S+')
local answers, key = {}, 1
while key <= #KEYS do
  local count = tonumber(next_word())
  local tats, refused = {}, false
  for i = 1, count do
    local interval, burst = tonumber(next_word()), tonumber(next_word())
    local weight = interval * tonumber(next_word())
    if not refused then
      local tat = math.max(tonumber(redis.call('GET', KEYS[key + i - 1]) or now), now)
      tat = tat + weight
      local wait = tat - interval * burst - now
      if wait >= 1 then
        refused = true
        answers[#answers + 1] = string.format('%.0f', -math.ceil(wait))
        answers[#answers + 1] = tostring(-i)
      end
      tats[i] = tat
    end
  end
  for i = 1, refused and 0 or count do
    local ahead = tats[i] - now
    local milliseconds = math.max(1, math.ceil(ahead / 1000))
    redis.call('SET', KEYS[key + i - 1], string.format('%.0f', tats[i]),
               'PX', milliseconds)
    answers[#answers + 1] = string.format('%.0f', ahead)
  end
  key = key + count
end
return table.concat(answers, ' ')
"""

_log = structlog.get_logger()


class _Waiting(NamedTuple):
    """A request that waits for its decision."""

    charges: Sequence[Charge]
    decision: "asyncio.Future[Decision]"


class RedisBuckets:
    """Limits that all processes of a service share.

    Args:
        redis: The service's own account.
        key: Names the key of a subject.
    """

    def __init__(self, redis: Redis, key: Callable[[str], str]) -> None:
        self._script = SteadyScript(redis, _GCRA)
        self._key = key
        self._waiting: deque[_Waiting] = deque()
        self._asking: asyncio.Task[None] | None = None

    async def charge(self, charges: Sequence[Charge]) -> Decision:
        """Charge one request to all limits, or to none of them.

        Raises:
            UnavailableError: Redis does not answer; nothing may be assumed.
        """
        if not charges:
            return Decision()
        waiting = _Waiting(charges, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask(), name="rate-limits")
        return await waiting.decision

    async def _ask(self) -> None:
        """Ask for all who wait, until nobody does."""
        together: list[_Waiting] = []
        try:
            while self._waiting:
                count = min(len(self._waiting), _TOGETHER_MAX)
                together = [self._waiting.popleft() for _ in range(count)]
                decisions = await self._decisions(together)
                for waiting, decision in zip(together, decisions, strict=True):
                    if not waiting.decision.done():  # its request may be cancelled
                        waiting.decision.set_result(decision)
        except (RedisError, OSError, TimeoutError) as error:
            _log.warning("limits_unreachable", error_class=type(error).__name__)
        finally:
            self._asking = None
            # Nothing is left without an answer, whatever ended this; who came during
            # the call would only wait as long again.
            self._fail([*together, *self._waiting])
            self._waiting.clear()

    def _fail(self, lost: Sequence[_Waiting]) -> None:
        for waiting in lost:
            if not waiting.decision.done():
                away = UnavailableError("limits_unavailable", "Redis is away.")
                waiting.decision.set_exception(away)

    async def _decisions(self, together: Sequence[_Waiting]) -> list[Decision]:
        keys: list[str] = []
        words: list[str] = []
        for waiting in together:
            words.append(str(len(waiting.charges)))
            for charge in waiting.charges:
                keys.append(self._key(charge.subject))
                words.append(_terms(charge.limit, charge.cost))
        async with asyncio.timeout(_DEADLINE_SECONDS):
            answer = await self._script.ask(keys, " ".join(words))
        values = map(int, answer.split())
        return [_decision(waiting.charges, values) for waiting in together]


@lru_cache(maxsize=256)
def _terms(limit: Limit, cost: int) -> str:
    interval = limit.interval_seconds * _MICROSECONDS
    return f"{interval:.3f} {limit.burst} {min(cost, limit.burst)}"


def _decision(charges: Sequence[Charge], values: Iterator[int]) -> Decision:
    """Take the values of one request's answer."""
    first = next(values)
    if first < 0:
        return refuse(charges[-next(values) - 1], -first / _MICROSECONDS)
    ahead = [first, *islice(values, len(charges) - 1)]
    return settle(charges, [value / _MICROSECONDS for value in ahead])
