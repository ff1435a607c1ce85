"""What travels between two chat processes."""

from collections.abc import Iterator, Mapping, Sequence
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
from services.chat.ports.partitions import ToldMessage

PATH = "/messages/2"
"""Its number changes with what the frames hold: others write for themselves."""
FRAME_BYTES = 16 * 1024 * 1024
MESSAGES_MAX = 100
"""Of one frame, either way: the largest ones together are far below `FRAME_BYTES`."""
NEWS_BYTES = 1024 * 1024
"""Payload of one frame of news; a message that is larger travels alone."""

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


class Answers(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """What became of some drafts."""

    answers: list[Answered]


class News(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """Messages that the other process has just committed."""

    messages: list[ToldMessage]


def news_frames(messages: Sequence[ToldMessage]) -> Iterator[bytes]:
    """Encode messages, in order, in frames of bounded size."""
    part: list[ToldMessage] = []
    size = 0
    for message in messages:
        if part and size + len(message.payload) > NEWS_BYTES:
            yield encode(News(part))
            part, size = [], 0
        part.append(message)
        size += len(message.payload)
    if part:
        yield encode(News(part))


encode = msgspec.msgpack.Encoder().encode
decode_asked = msgspec.msgpack.Decoder(list[Asked]).decode
decode_told = msgspec.msgpack.Decoder(Answers | News).decode
