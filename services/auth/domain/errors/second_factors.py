"""Errors of second factors and of sign-ins that wait for one."""

from libs.kernel import (
    ConflictError,
    NotFoundError,
    RateLimitedError,
    UnauthenticatedError,
)


class PendingSignInInvalidError(UnauthenticatedError):
    """The pending sign-in was finished, expired, guessed at too often or never was."""

    def __init__(self) -> None:
        super().__init__("pending_sign_in_invalid", "Sign in again from the start.")


class SecondFactorInvalidError(UnauthenticatedError):
    """The code is wrong, was used before, or is none of this user's."""

    def __init__(self) -> None:
        super().__init__("second_factor_invalid", "This proof is not valid.")


class SecondFactorThrottledError(RateLimitedError):
    """Too many wrong codes of one account."""

    def __init__(self, retry_after_seconds: float) -> None:
        super().__init__(
            "second_factor_throttled",
            "Too many wrong codes; wait before the next one.",
            retry_after_seconds=retry_after_seconds,
        )


class SecondFactorMissingError(NotFoundError):
    """The caller has no such second factor."""

    def __init__(self) -> None:
        super().__init__("second_factor_not_found", "You have no such factor.")


class SecondFactorEnforcedError(ConflictError):
    """The last second factor of somebody who must have one stays."""

    def __init__(self) -> None:
        super().__init__(
            "second_factor_enforced",
            "You must have a second factor; add another first.",
        )
