"""Bodies of deleting accounts."""

from datetime import datetime

from libs.kernel import UserId
from services.auth.domain.erasure import Erasure
from services.auth.schemas.base import RequestModel, ResponseModel
from services.auth.schemas.fields import Email


class DeletionRequest(RequestModel):
    """The account's own address, typed to confirm."""

    email: Email


class DeletionTermsResponse(ResponseModel):
    """How long a deletion can be called off by signing in; 0: not at all."""

    grace_days: float


class DeletionResponse(ResponseModel):
    """When the account will be erased; signing in before that calls it off."""

    deletion_due_at: datetime


class ErasureAnswerResponse(ResponseModel):
    """A service, and when it erased its part; null while it has not."""

    service: str
    answered_at: datetime | None


class ErasureResponse(ResponseModel):
    """A deleted account: an id, and who has erased their part of it."""

    user_id: UserId
    erased_at: datetime
    told_at: datetime
    is_complete: bool
    answers: list[ErasureAnswerResponse]

    @classmethod
    def of(cls, erasure: Erasure) -> "ErasureResponse":
        """Return an administrator's view of an erasure."""
        answers = [
            ErasureAnswerResponse(service=name, answered_at=erasure.answers.get(name))
            for name in erasure.awaited
        ]
        return cls(
            user_id=erasure.user_id,
            erased_at=erasure.erased_at,
            told_at=erasure.told_at,
            is_complete=not erasure.missing,
            answers=answers,
        )
