"""How often a user may do something, whatever the way in."""

from collections.abc import Mapping

import structlog

from libs.kernel import Clock, RateLimitedError, UnavailableError, UserId
from libs.kernel.rates import Charge, Decision, Limit, LocalBuckets
from services.chat.domain.rates import Rated
from services.chat.ports import SharedBuckets

_log = structlog.get_logger()


class UserLimits:
    """Counts over all processes; alone while the shared count is away.

    Source: security.md RL-2, RL-4.

    Args:
        shared: The count of all processes.
        clock: Measures the local count.
        limits: Of each thing that is counted.
        messages: Of one user's messages; counted by each process alone, because
            a trip to the shared count would cost more than the message.
    """

    def __init__(
        self,
        shared: SharedBuckets,
        clock: Clock,
        *,
        limits: Mapping[Rated, Limit],
        messages: Limit,
    ) -> None:
        self._shared = shared
        self._clock = clock
        self._limits = limits
        self._messages = messages
        self._local = LocalBuckets()

    async def require(self, rated: Rated, user_id: UserId) -> None:
        """Count something that a user is about to do.

        Raises:
            RateLimitedError: With the time to wait.
        """
        charges = [Charge(f"{rated}:{user_id}", self._limits[rated])]
        try:
            decision = await self._shared.charge(charges)
        except UnavailableError:
            _log.warning("limits_counted_locally", rated=rated)
            decision = self._local.charge(charges, self._clock.monotonic())
        _check(decision)

    def require_message(self, user_id: UserId) -> None:
        """Count a message that a user is about to send.

        Raises:
            RateLimitedError: With the time to wait.
        """
        charges = [Charge(f"message:{user_id}", self._messages)]
        _check(self._local.charge(charges, self._clock.monotonic()))


def _check(decision: Decision) -> None:
    if not decision.is_allowed:
        raise RateLimitedError(
            "rate_limited",
            "Too often; wait a little.",
            retry_after_seconds=round(decision.retry_after_seconds, 3),
        )
