"""Errors of accounts, profiles, sign-ins and sessions."""

from libs.kernel import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    RateLimitedError,
    UnauthenticatedError,
)


class EmailInvalidError(InvalidError):
    """The text is no mail address that Parley can write to."""

    def __init__(self) -> None:
        super().__init__("email_invalid", "This is not a usable mail address.")


class EmailTakenError(ConflictError):
    """Another account has this address; never shown to a caller (EN-1)."""

    def __init__(self) -> None:
        super().__init__("email_taken", "Another account has this address.")


_PASSWORD_RULES = {
    "too_short": "The password has fewer characters than it needs.",
    "too_long": "The password has more characters than can be taken.",
    "not_text": "The password holds half a character.",
    "listed": "This password is on the lists that attackers try first.",
    "personal": "This password is a name or an address, or the product's name.",
}


class PasswordInvalidError(InvalidError):
    """The password breaks a rule; ``details`` hold it and, of a length, the limit.

    Rules: too_short, too_long, not_text, listed, personal.
    """

    def __init__(self, rule: str, limit: int = 0) -> None:
        self.rule = rule
        self.limit = limit
        super().__init__("password_invalid", _PASSWORD_RULES[rule], rule=rule)
        if limit:
            self.details["limit"] = limit


class HandleInvalidError(InvalidError):
    """The handle breaks the pattern or is reserved."""

    def __init__(self, rule: str) -> None:
        super().__init__(
            "handle_invalid",
            "A handle has 3 to 32 of a-z, 0-9, '_', '.', '-', begins with a letter, "
            "ends with a letter or digit and is not reserved.",
            rule=rule,
        )


class HandleTakenError(ConflictError):
    """Somebody else has this handle."""

    def __init__(self) -> None:
        super().__init__("handle_taken", "This handle is taken.")


class DisplayNameInvalidError(InvalidError):
    """The display name is empty, too long or holds invisible characters."""

    def __init__(self) -> None:
        super().__init__(
            "display_name_invalid",
            "A display name has 1 to 64 visible characters.",
        )


class StatusTextInvalidError(InvalidError):
    """The status text is too long or holds invisible characters."""

    def __init__(self) -> None:
        super().__init__(
            "status_text_invalid", "A status text has up to 140 visible characters."
        )


class LocaleInvalidError(InvalidError):
    """The text is no language tag."""

    def __init__(self) -> None:
        super().__init__(
            "locale_invalid", "A locale is a language tag such as 'en' or 'pt-BR'."
        )


class TimeZoneInvalidError(InvalidError):
    """The time zone is not in the IANA database."""

    def __init__(self) -> None:
        super().__init__(
            "time_zone_invalid", "A time zone is an IANA name such as 'Europe/Rome'."
        )


class CredentialsInvalidError(UnauthenticatedError):
    """Unknown address, wrong password or an account that may not sign in."""

    def __init__(self) -> None:
        super().__init__(
            "credentials_invalid", "Mail address and password do not match."
        )


class RefreshTokenInvalidError(UnauthenticatedError):
    """The refresh token is not the session's, or the session is over."""

    def __init__(self) -> None:
        super().__init__("refresh_token_invalid", "Sign in again.")


class SessionMissingError(NotFoundError):
    """The caller has no such session."""

    def __init__(self) -> None:
        super().__init__("session_not_found", "You have no such session.")


class StepUpRequiredError(ForbiddenError):
    """A sensitive action of a session whose owner last proved themselves long ago."""

    def __init__(self) -> None:
        super().__init__(
            "step_up_required", "Prove once more who you are, then try again."
        )


class UserMissingError(NotFoundError):
    """There is no such user, or none that the caller may see."""

    def __init__(self) -> None:
        super().__init__("user_not_found", "There is no such user.")


class UserChangedError(ConflictError):
    """Somebody else changed the user in the meantime."""

    def __init__(self) -> None:
        super().__init__(
            "user_changed", "The profile changed in the meantime; try again."
        )


class OriginRefusedError(ForbiddenError):
    """A cookie came along with a request that is not the web client's own."""

    def __init__(self) -> None:
        super().__init__(
            "origin_refused", "Cookies are taken from the web client's origin only."
        )


class LoginThrottledError(RateLimitedError):
    """Too many failed passwords; the same for known and unknown accounts."""

    def __init__(self, retry_after_seconds: float) -> None:
        super().__init__(
            "login_throttled",
            "Too many failed attempts; wait before the next one.",
            retry_after_seconds=retry_after_seconds,
        )


class AttemptsThrottledError(RateLimitedError):
    """Too many failed tries at a code, a link or another secret."""

    def __init__(self, retry_after_seconds: float) -> None:
        super().__init__(
            "attempts_throttled",
            "Too many failed attempts; wait before the next one.",
            retry_after_seconds=retry_after_seconds,
        )
