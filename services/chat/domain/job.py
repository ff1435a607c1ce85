"""Work that goes on after its commit, in steps, whatever process dies."""

from datetime import datetime
from enum import StrEnum

import msgspec


class JobKind(StrEnum):
    """What is to be done."""

    PURGE = "purge"
    ERASE = "erase"
    DISSOLVE = "dissolve"


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A work under way; one a kind and subject.

    Attributes:
        subject: Conversation to purge, user to erase, project to dissolve.
        created_at: Since when it is to be done.
        cursor: Where the next step begins; empty at first.
        done: What all steps so far have changed.
    """

    kind: JobKind
    subject: str
    created_at: datetime
    cursor: str = ""
    done: int = 0

    @property
    def job_id(self) -> str:
        """Names it for ever: asking for it again changes nothing."""
        return f"{self.kind}:{self.subject}"


class Step(msgspec.Struct, frozen=True):
    """What one step did.

    Attributes:
        cursor: Where the next step begins; None where all is done.
        done: What it changed.
    """

    cursor: str | None
    done: int
