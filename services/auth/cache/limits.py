"""How often a secret may be tried, and how waiting grows (LT-1, MF-2)."""

from dataclasses import dataclass, replace
from typing import Final

from libs.kernel import RateLimitedError
from services.auth.domain import GuessPurpose
from services.auth.domain.errors import (
    AttemptsThrottledError,
    LoginThrottledError,
)

RUNNING_WAIT_SECONDS: Final = 1
_SHORT_CODES: Final = (GuessPurpose.ONE_TIME_CODE, GuessPurpose.RECOVERY_CODE)
_SHORT_CODE_FAILURES: Final = 10
_HOUR_SECONDS: Final = 3_600


@dataclass(frozen=True)
class GuessLimits:
    """How many failures are free, and how waiting grows.

    After the free failures the n-th wait is 2 ** (n - 1) seconds, at most
    `delay_max_seconds`.

    Attributes:
        pair_free: Failures at one subject from one client address.
        account_free: Failures at one subject from anywhere.
        account_delay_seconds: The first wait after those, where it is to be longer
            than a second.
        address_limit: Attempts of one client address that failed in the window or
            are still being looked at.
        address_window_seconds: Length of that sliding window.
        remembered_seconds: After this long without a failure all is forgotten.
    """

    pair_free: int = 5
    account_free: int = 50
    address_limit: int = 50
    address_window_seconds: int = 600
    delay_max_seconds: int = 900
    account_delay_seconds: int = 1
    remembered_seconds: int = 86_400


def limits_of(purpose: GuessPurpose, usual: GuessLimits) -> GuessLimits:
    """Return the limits of a purpose: six digits get ten tries an hour (MF-2)."""
    if purpose not in _SHORT_CODES:
        return usual
    return replace(
        usual,
        account_free=_SHORT_CODE_FAILURES,
        account_delay_seconds=_HOUR_SECONDS,
    )


def throttled(purpose: GuessPurpose, wait_seconds: float) -> RateLimitedError:
    """Return what a refused guess is told."""
    if purpose is GuessPurpose.PASSWORD:
        return LoginThrottledError(wait_seconds)
    return AttemptsThrottledError(wait_seconds)
