"""Shared kernel: ids, clock, kinds of errors, ends of tasks. No dependency."""

from libs.kernel.clock import Clock, FrozenClock, SystemClock
from libs.kernel.errors import (
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
from libs.kernel.ids import (
    ConversationId,
    DocumentId,
    EventId,
    MessageId,
    ProjectId,
    SessionId,
    UserId,
    is_id,
    new_id,
)
from libs.kernel.tasks import end_tasks

__all__ = [
    "AppError",
    "Clock",
    "ConflictError",
    "ConversationId",
    "DocumentId",
    "ErrorKind",
    "EventId",
    "ForbiddenError",
    "FrozenClock",
    "GoneError",
    "InvalidError",
    "MessageId",
    "NotFoundError",
    "PreconditionFailedError",
    "ProjectId",
    "RateLimitedError",
    "SessionId",
    "SystemClock",
    "TooLargeError",
    "UnauthenticatedError",
    "UnavailableError",
    "UserId",
    "end_tasks",
    "is_id",
    "new_id",
]
