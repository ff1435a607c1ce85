"""What follows from a handler's error: try again now, later, or give up."""

from dataclasses import dataclass

from libs.events.bus import Retry
from libs.events.errors import (
    CrashLoopError,
    DecodeError,
    OutOfOrderError,
    PermanentError,
    RetryAfter,
)
from libs.events.names import tier_seconds
from libs.kernel import AppError


@dataclass(frozen=True)
class Again:
    """Try again in this process, after a short pause."""


@dataclass(frozen=True)
class Later:
    """Wait in a retry tier."""

    tier: str


@dataclass(frozen=True)
class GiveUp:
    """Become a dead letter, for a reason that is a stable slug."""

    reason: str

    @property
    def is_certain(self) -> bool:
        """Whether no further try in this process could help."""
        return self.reason != "retries_exhausted"


_OUR_ERRORS = (
    AppError,
    CrashLoopError,
    DecodeError,
    OutOfOrderError,
    PermanentError,
    RetryAfter,
)

Verdict = Again | Later | GiveUp


def judge(error: Exception, retry: Retry, *, attempt: int, tries: int) -> Verdict:
    """Decide what happens to an event that failed.

    Args:
        error: What the handler raised.
        retry: The subscription's policy.
        attempt: Deliveries so far, over all tiers; from 1.
        tries: Calls of the handler in this delivery; from 1.
    """
    if isinstance(error, CrashLoopError):
        return GiveUp("crash_loop")
    if _is_permanent(error):
        return GiveUp("permanent")
    pause = pause_asked_for(error)
    if pause is None and tries <= retry.immediate:
        return Again()
    return _later(retry, attempt, pause or 0.0)


def _is_permanent(error: Exception) -> bool:
    if isinstance(error, AppError):
        return not error.kind.is_transient
    return isinstance(error, PermanentError | DecodeError)


def pause_asked_for(error: Exception) -> float | None:
    """Return the seconds that an error asks to wait for; None if it does not."""
    if isinstance(error, RetryAfter):
        return error.seconds
    if isinstance(error, AppError):
        return error.retry_after_seconds
    return None


def _later(retry: Retry, attempt: int, at_least_seconds: float) -> Verdict:
    if attempt > len(retry.delays):
        return GiveUp("retries_exhausted")
    left = retry.delays[attempt - 1 :]
    for tier in left:
        if tier_seconds(tier) >= at_least_seconds:
            return Later(tier)
    return Later(left[-1])


def error_text(error: Exception) -> str:
    """Return what may be written down of an error: never private content.

    Our own errors promise a text without it. Of others only the type and the place
    are kept, since their text may quote what the handler was given.
    """
    if isinstance(error, _OUR_ERRORS):
        return str(error)[:500]
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    if place is None:
        return type(error).__name__
    code = place.tb_frame.f_code
    return f"{type(error).__name__} at {code.co_qualname}:{place.tb_lineno}"
