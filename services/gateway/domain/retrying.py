"""When a failed request may be sent once more (HT-3)."""

from libs.kernel import UnavailableError
from services.gateway.domain.errors import (
    UpstreamFailedError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)

_SAFE = frozenset({"GET", "HEAD"})
_EARNED = 0.1
_SAVED_MAX = 10.0


class RetryBudget:
    """At most one retry for ten requests, so that retries never become the load.

    Ten may be saved up: a single restart of an instance is no reason to be stingy.
    """

    def __init__(self) -> None:
        self._saved = _SAVED_MAX

    def earn(self) -> None:
        """Note a request."""
        self._saved = min(self._saved + _EARNED, _SAVED_MAX)

    def spend(self) -> bool:
        """Take one retry; False if none is left."""
        if self._saved < 1:
            return False
        self._saved -= 1
        return True


def may_retry(
    method: str, failure: UnavailableError, *, is_idempotent: bool, is_resendable: bool
) -> bool:
    """Tell whether a failed request may be sent once more.

    Args:
        method: Safe ones may always (RFC 9110, section 9.2.1).
        failure: A service that could not be reached has seen nothing of it. One that
            ran out of time is not asked again: there is no time left, and it may well
            be working on it.
        is_idempotent: Whether the route says so of its other methods.
        is_resendable: Whether its body is still at hand.
    """
    if not is_resendable or isinstance(failure, UpstreamTimeoutError):
        return False
    if isinstance(failure, UpstreamUnavailableError):
        return True
    is_repeatable = method in _SAFE or is_idempotent
    return is_repeatable and isinstance(failure, UpstreamFailedError)
