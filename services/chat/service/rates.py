"""How often a user may do something, whatever the way in."""

from collections.abc import Mapping

import structlog

from libs.kernel import (
    Clock,
    ConversationId,
    RateLimitedError,
    UnavailableError,
    UserId,
)
from libs.kernel.rates import Charge, Decision, Limit, LocalBuckets
from services.chat.domain.message import Draft, Message
from services.chat.domain.rates import Rated
from services.chat.ports import MessageWriter, SharedBuckets

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


class RatedWriter:
    """`MessageWriter` that takes no more of a user than the user's rate.

    Args:
        writer: Appends.
        limits: Counts.
    """

    def __init__(self, writer: MessageWriter, limits: UserLimits) -> None:
        self._writer = writer
        self._limits = limits

    async def submit(self, draft: Draft) -> Message:
        """Append a checked draft; return when it is durable.

        Raises:
            RateLimitedError: With the time to wait; nothing was stored.
            AppError: See `services.chat.writer.GroupCommitWriter.submit`.
        """
        self._limits.require_message(draft.sender_id)
        return await self._writer.submit(draft)

    def forget(self, conversation_id: ConversationId) -> None:
        """Drop what is remembered of a conversation that another path changed."""
        self._writer.forget(conversation_id)


def _check(decision: Decision) -> None:
    if not decision.is_allowed:
        raise RateLimitedError(
            "rate_limited",
            "Too often; wait a little.",
            retry_after_seconds=round(decision.retry_after_seconds, 3),
        )
