"""Errors of second factors and of sign-ins that wait for one."""

from libs.kernel import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
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


class SecondFactorNeededError(ForbiddenError):
    """A password does not do here for who has a second factor."""

    def __init__(self) -> None:
        super().__init__("second_factor_needed", "Use your second factor.")


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


class SecondFactorFirstError(ConflictError):
    """Who makes a rule that binds themselves has what it asks for already."""

    def __init__(self) -> None:
        super().__init__(
            "second_factor_first", "Set up a second factor of your own first."
        )


class SecondFactorRequiredError(UnauthenticatedError):
    """The session began with one factor, and two are required by now."""

    def __init__(self) -> None:
        super().__init__(
            "second_factor_required", "A second factor is required: sign in again."
        )


class PasskeyClonedError(SecondFactorInvalidError):
    """A key's counter went backwards; told to nobody but the audit."""


class PasskeyKnownError(ConflictError):
    """This authenticator is registered already."""

    def __init__(self) -> None:
        super().__init__("passkey_known", "This passkey is registered already.")


class PasskeyLimitError(ConflictError):
    """The user has as many passkeys as one can have."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            "passkey_limit", f"You can have {limit} passkeys.", limit=limit
        )


class PasskeyInvalidError(InvalidError):
    """What the authenticator made is no registration for this installation."""

    def __init__(self) -> None:
        super().__init__("passkey_invalid", "This passkey cannot be registered.")
