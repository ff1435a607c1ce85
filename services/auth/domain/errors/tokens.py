"""Errors of personal access tokens."""

from libs.kernel import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    UnauthenticatedError,
)


class PersonalTokenInvalidError(UnauthenticatedError):
    """The token is unknown, expired or revoked, or its user may not sign in."""

    def __init__(self) -> None:
        super().__init__("token_invalid", "The access token is not valid.")


class PersonalTokenMissingError(NotFoundError):
    """The caller has no such token."""

    def __init__(self) -> None:
        super().__init__("token_not_found", "You have no such token.")


class PersonalTokenLimitError(ConflictError):
    """The user has as many tokens as one can have."""

    def __init__(self, limit: int) -> None:
        super().__init__("token_limit", f"You can have {limit} tokens.", limit=limit)


class PersonalTokenExpiryError(InvalidError):
    """The token would live longer than this installation allows."""

    def __init__(self, days_max: int) -> None:
        super().__init__(
            "token_expiry_invalid",
            f"A token lives {days_max} days at most.",
            days_max=days_max,
        )


class ScopesInvalidError(InvalidError):
    """None, or one that there is not."""

    def __init__(self) -> None:
        super().__init__("scopes_invalid", "Give one or more of the known scopes.")


class ScopeInsufficientError(ForbiddenError):
    """The token is restricted to other things."""

    def __init__(self) -> None:
        super().__init__("insufficient_scope", "The token's scopes do not allow this.")
