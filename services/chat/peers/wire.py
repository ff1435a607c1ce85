"""What travels between two chat processes."""

from collections.abc import Mapping
from typing import Any

import msgspec

from libs.events.tracing import Cause
from libs.kernel import (
    AppError,
    ConflictError,
    ErrorKind,
    ForbiddenError,
    GoneError,
    InvalidError,
    NotFoundError,
    PreconditionFailedError,
    RateLimitedError,
    TooLargeError,
    UnauthenticatedError,
    UnavailableError,
)
from services.chat.domain.message import Draft, Message

PATH = "/messages"
FRAME_BYTES = 16 * 1024 * 1024
MESSAGES_MAX = 100
"""Of one frame, either way: the largest ones together are far below `FRAME_BYTES`."""

_CLASSES: Mapping[int, type[AppError]] = {
    cls.kind.value: cls
    for cls in (
        InvalidError, UnauthenticatedError, ForbiddenError, NotFoundError,
        ConflictError, GoneError, PreconditionFailedError, TooLargeError,
        RateLimitedError, UnavailableError,
    )
}  # fmt: skip


class Asked(msgspec.Struct, frozen=True, array_like=True):
    """A draft for the owner, with what its event inherits.

    Attributes:
        number: Names the answer on this link.
    """

    number: int
    draft: Draft
    cause: Cause


class Refused(msgspec.Struct, frozen=True, array_like=True):
    """An `AppError` of the other process."""

    kind: int
    code: str
    message: str
    retry_after_seconds: float | None
    details: dict[str, Any]

    @classmethod
    def of(cls, error: AppError) -> "Refused":
        """Describe an error."""
        return cls(
            error.kind.value,
            error.code,
            error.message,
            error.retry_after_seconds,
            dict(error.details),
        )

    def error(self) -> AppError:
        """Return what to raise here: the same kind, code and details."""
        cls = _CLASSES.get(self.kind, _CLASSES[ErrorKind.UNAVAILABLE.value])
        return cls(
            self.code,
            self.message,
            retry_after_seconds=self.retry_after_seconds,
            **self.details,
        )


class Answered(msgspec.Struct, frozen=True, array_like=True):
    """What became of a draft: exactly one of both is there."""

    number: int
    message: Message | None = None
    refused: Refused | None = None


encode = msgspec.msgpack.Encoder().encode
decode_asked = msgspec.msgpack.Decoder(list[Asked]).decode
decode_answered = msgspec.msgpack.Decoder(list[Answered]).decode
