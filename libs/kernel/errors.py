"""Typed errors with a stable code and a kind; only the edges map them (ADR 0010).

An error says what happened in the domain's words. HTTP status, Socket.IO
acknowledgement and retry decision are derived from its kind at the edge.
"""

from enum import Enum
from typing import ClassVar


class ErrorKind(Enum):
    """What sort of failure it is; the value is the HTTP status it maps to."""

    INVALID = 400
    UNAUTHENTICATED = 401
    FORBIDDEN = 403
    NOT_FOUND = 404
    CONFLICT = 409
    GONE = 410
    PRECONDITION_FAILED = 412
    TOO_LARGE = 413
    RATE_LIMITED = 429
    UNAVAILABLE = 503

    @property
    def is_transient(self) -> bool:
        """Whether the same call may succeed later without being changed."""
        return self in (ErrorKind.RATE_LIMITED, ErrorKind.UNAVAILABLE)


class AppError(Exception):
    """An expected failure.

    Attributes:
        code: Stable slug in snake_case; part of the API.
        message: One sentence for a developer; never holds private content.
        details: JSON-able facts a client may act on, never private content.
        kind: Class of the failure.
        retry_after_seconds: When a transient failure is worth another try.
    """

    kind: ClassVar[ErrorKind] = ErrorKind.INVALID

    def __init__(
        self,
        code: str,
        message: str,
        *,
        retry_after_seconds: float | None = None,
        **details: object,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.retry_after_seconds = retry_after_seconds
        self.details = details


class InvalidError(AppError):
    """The request can never succeed as it is."""

    kind = ErrorKind.INVALID


class UnauthenticatedError(AppError):
    """Nobody, or nobody any more, is signed in."""

    kind = ErrorKind.UNAUTHENTICATED


class ForbiddenError(AppError):
    """The caller may see the thing but not do this to it."""

    kind = ErrorKind.FORBIDDEN


class NotFoundError(AppError):
    """There is no such thing, or none that the caller may see."""

    kind = ErrorKind.NOT_FOUND


class ConflictError(AppError):
    """The state of the thing does not allow it now."""

    kind = ErrorKind.CONFLICT


class GoneError(AppError):
    """It was there and will not come back."""

    kind = ErrorKind.GONE


class PreconditionFailedError(AppError):
    """The caller named a state (``If-Match``) that is not the present one."""

    kind = ErrorKind.PRECONDITION_FAILED


class TooLargeError(AppError):
    """A size limit is exceeded."""

    kind = ErrorKind.TOO_LARGE


class RateLimitedError(AppError):
    """Too much, too fast; `retry_after_seconds` tells when to come back."""

    kind = ErrorKind.RATE_LIMITED


class UnavailableError(AppError):
    """Something this needs does not answer; nothing was done, or it is unknown."""

    kind = ErrorKind.UNAVAILABLE
