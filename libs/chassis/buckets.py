"""Rate limits in Redis: one script, the server's clock, all keys of a request or none.

Requests that come while a call is under way share the next one: the driver costs far
more than the script, and an idle process still asks at once.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from libs.kernel import UnavailableError
from libs.kernel.rates import Charge, Decision, refuse, settle

_MICROSECONDS = 1_000_000
_DEADLINE_SECONDS = 0.5  # a frozen server must not cost every request its timeout
_TOGETHER_MAX = 64

# KEYS: the limits of all requests in turn. ARGV: for each request how many they are,
# then for each limit its interval in us, its burst and the request's cost. The clock is
# Redis's own, so several processes agree (security.md RL-1). Returns for each request
# how far each limit's arrival time lies ahead in us; of a refused one the wait and the
# number of the limit that refused, both below zero, and nothing was charged.
_GCRA = """
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local answers, key, argument = {}, 1, 1
while key <= #KEYS do
  local count = tonumber(ARGV[argument])
  local tats, refused = {}, nil
  for i = 1, count do
    local at = argument + 3 * (i - 1)
    local interval, burst = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
    local tat = math.max(tonumber(redis.call('GET', KEYS[key + i - 1]) or now), now)
    tat = tat + interval * tonumber(ARGV[at + 3])
    local wait = tat - interval * burst - now
    if wait >= 1 then
      refused = {string.format('%.0f', -math.ceil(wait)), -i}
      break
    end
    tats[i] = tat
  end
  local answer = refused or {}
  for i = 1, refused and 0 or count do
    local ahead = tats[i] - now
    local milliseconds = math.max(1, math.ceil(ahead / 1000))
    redis.call('SET', KEYS[key + i - 1], string.format('%.0f', tats[i]),
               'PX', milliseconds)
    answer[i] = string.format('%.0f', ahead)
  end
  answers[#answers + 1] = answer
  key, argument = key + count, argument + 1 + 3 * count
end
return answers
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
        self._script = redis.register_script(_GCRA)
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
        arguments: list[str | int] = []
        for waiting in together:
            arguments.append(len(waiting.charges))
            for charge in waiting.charges:
                limit = charge.limit
                keys.append(self._key(charge.subject))
                interval = f"{limit.interval_seconds * _MICROSECONDS:.3f}"
                arguments += [interval, limit.burst, min(charge.cost, limit.burst)]
        async with asyncio.timeout(_DEADLINE_SECONDS):
            answers = cast("list[Any]", await self._script(keys=keys, args=arguments))
        return [
            _decision(waiting.charges, [int(value) for value in answer])
            for waiting, answer in zip(together, answers, strict=True)
        ]


def _decision(charges: Sequence[Charge], answer: Sequence[int]) -> Decision:
    if answer[0] < 0:
        return refuse(charges[-answer[1] - 1], -answer[0] / _MICROSECONDS)
    return settle(charges, [ahead / _MICROSECONDS for ahead in answer])
