"""An account that is gone, and which services have erased their part of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from libs.kernel import UserId

ERASING_SERVICES: Final = ("chat", "media", "notification", "project")
"""Services that hold a part of a person; each answers with erasure.completed."""


@dataclass(frozen=True)
class Erasure:
    """What is kept of a deleted account: its id, and who has answered.

    Attributes:
        revision: Of the `user.deleted` that told it.
        erased_at: When auth's own part was erased.
        told_at: When the services were last told.
        awaited: Names of the services that must answer.
        answers: When each of them did.
    """

    user_id: UserId
    revision: int
    erased_at: datetime
    told_at: datetime
    awaited: tuple[str, ...] = ERASING_SERVICES
    answers: Mapping[str, datetime] = field(default_factory=dict)

    @property
    def missing(self) -> tuple[str, ...]:
        """Who has not answered."""
        return tuple(name for name in self.awaited if name not in self.answers)


@dataclass(frozen=True)
class Backlog:
    """How many erasures a service has not answered, and the oldest of them."""

    count: int
    oldest_at: datetime
