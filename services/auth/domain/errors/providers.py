"""Errors of signing in with an OpenID provider."""

from libs.kernel import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    UnauthenticatedError,
    UnavailableError,
)


class ProviderMissingError(NotFoundError):
    """No such provider is configured."""

    def __init__(self) -> None:
        super().__init__("provider_not_found", "There is no such provider.")


class RedirectInvalidError(InvalidError):
    """The address to return to is none of the allowed ones."""

    def __init__(self) -> None:
        super().__init__("redirect_invalid", "A sign-in does not lead there.")


class ProviderSignInInvalidError(UnauthenticatedError):
    """State or code is unknown, spent, expired, or another browser's."""

    def __init__(self) -> None:
        super().__init__(
            "provider_sign_in_invalid", "This sign-in is not valid; start it again."
        )


class ProviderRefusedError(UnauthenticatedError):
    """The provider did not vouch: the person said no, or it refused the code."""

    def __init__(self) -> None:
        super().__init__("provider_refused", "The provider refused the sign-in.")


class ProviderTokenInvalidError(UnauthenticatedError):
    """What the provider sent proves nothing; why is told to logs alone.

    Attributes:
        reason: A constant slug.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(
            "provider_token_invalid", "The provider's answer is not valid."
        )
        self.reason = reason


class ProviderUnavailableError(UnavailableError):
    """The provider does not answer, or not with what it should."""

    def __init__(self) -> None:
        super().__init__(
            "provider_unavailable",
            "The provider does not answer.",
            retry_after_seconds=5,
        )


class IdentityNotLinkedError(ForbiddenError):
    """No account for this identity; the same whatever stands in the way (EN-1)."""

    def __init__(self) -> None:
        super().__init__(
            "identity_not_linked",
            "No account is linked to this identity, and none can be opened for it. "
            "If you have an account, sign in to it and link the identity there.",
        )


class IdentityUnverifiedError(ForbiddenError):
    """The provider does not say that it checked the mail address."""

    def __init__(self) -> None:
        super().__init__(
            "identity_unverified",
            "The provider has not confirmed the mail address of this identity.",
        )


class IdentityTakenError(ConflictError):
    """The identity has an account, or the account an identity of this provider."""

    def __init__(self) -> None:
        super().__init__(
            "identity_taken",
            "This identity or this account is already linked at this provider.",
        )


class IdentityMissingError(NotFoundError):
    """The caller has no identity of this provider."""

    def __init__(self) -> None:
        super().__init__("identity_not_found", "You have no such linked identity.")


class LastWayInError(ConflictError):
    """Without it nobody could sign in to the account any more."""

    def __init__(self) -> None:
        super().__init__("last_way_in", "This is the only way in to your account.")


class LogoutTokenInvalidError(InvalidError):
    """The provider's logout token proves nothing, or was shown before."""

    def __init__(self) -> None:
        super().__init__("logout_token_invalid", "The logout token is not valid.")
