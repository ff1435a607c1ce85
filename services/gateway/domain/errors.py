"""How a request fails before, at or behind the gateway; codes are part of the API."""

from collections.abc import Sequence

from libs.kernel import (
    AppError,
    ErrorKind,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    RateLimitedError,
    TooLargeError,
    UnauthenticatedError,
    UnavailableError,
)

UNREACHED = "upstream_unavailable"


class PathInvalidError(InvalidError):
    """The path could be read in two ways by two servers; it is read in none."""

    def __init__(self) -> None:
        super().__init__("path_invalid", "The path is not in its normal form.")


class RouteNotFoundError(NotFoundError):
    """No service serves this path."""

    def __init__(self) -> None:
        super().__init__("route_not_found", "No such route.")


class MethodNotAllowedError(AppError):
    """The path exists, the method does not (RFC 9110, section 15.5.6)."""

    kind = ErrorKind.INVALID

    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__("method_not_allowed", "This route has no such method.")
        self.allowed = tuple(allowed)


class NetworkRefusedError(ForbiddenError):
    """The client's network is not served here."""

    def __init__(self) -> None:
        super().__init__("network_refused", "This is not served to your network.")


class TokenRefusedError(UnauthenticatedError):
    """A protected route was asked without a good access token.

    Its code is one of token_missing, token_invalid, token_expired, session_revoked.
    """


class ScopeInsufficientError(ForbiddenError):
    """The token is restricted to other things (RFC 6750, section 3.1)."""

    def __init__(self) -> None:
        super().__init__("insufficient_scope", "The token's scopes do not allow this.")


class BodyTooLargeError(TooLargeError):
    """The body is larger than the route takes."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(
            "body_too_large", "The request's body is too large.", max_bytes=max_bytes
        )


class BodyTimeoutError(AppError):
    """The client did not send its body in time (RFC 9110, section 15.5.9)."""

    kind = ErrorKind.INVALID

    def __init__(self) -> None:
        super().__init__("request_timeout", "The body did not arrive in time.")


class TooManyRequestsError(RateLimitedError):
    """A limit of the client's address or of the user is reached.

    Attributes:
        headers: What the client is told of that limit.
    """

    def __init__(
        self,
        retry_after_seconds: float,
        limit: str,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        self.headers = headers
        super().__init__(
            "rate_limited",
            "Too many requests; wait and try again.",
            retry_after_seconds=retry_after_seconds,
            limit=limit,
        )


class TooManyAtOnceError(RateLimitedError):
    """One address or user has as much under way as one may have."""

    def __init__(self) -> None:
        super().__init__(
            "too_many_at_once",
            "Too many requests are under way; wait for some of them.",
            retry_after_seconds=1,
        )


class OverloadedError(UnavailableError):
    """Too much is under way; what can wait is refused first."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(
            "overloaded",
            "There is too much to do right now; try again soon.",
            retry_after_seconds=retry_after_seconds,
        )


class UpstreamUnavailableError(UnavailableError):
    """The service cannot be reached; it has not seen the request."""

    def __init__(self, service: str) -> None:
        super().__init__(
            UNREACHED,
            "This part of the system is away; try again soon.",
            retry_after_seconds=1,
            service=service,
        )


class UpstreamTimeoutError(UnavailableError):
    """The service did not answer in time; what it did is unknown."""

    def __init__(self, service: str) -> None:
        super().__init__(
            "upstream_timeout",
            "This part of the system did not answer in time.",
            service=service,
        )


class UpstreamFailedError(UnavailableError):
    """The service broke off or answered something that is no answer of ours."""

    def __init__(self, service: str) -> None:
        super().__init__(
            "upstream_error",
            "This part of the system failed to answer.",
            service=service,
        )


class AnswerUnreadError(InvalidError):
    """The client takes its answer too slowly to be waited for; only logs name it."""

    def __init__(self) -> None:
        super().__init__("answer_unread", "The answer was not read in time.")


class ClientGoneError(InvalidError):
    """The client went away, or broke its body off; mostly nobody hears this."""

    def __init__(self) -> None:
        super().__init__("request_broken_off", "The request did not arrive in full.")
