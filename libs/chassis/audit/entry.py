"""What is recorded of an action, and the port that keeps it."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Protocol

ANONYMOUS_ACTOR: Final = "anonymous"
TEXT_MAX: Final = 256
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


class AuditResult(StrEnum):
    """What came of an action."""

    SUCCESS = "success"
    FAILURE = "failure"
    REFUSED = "refused"


@dataclass(frozen=True)
class AuditEntry:
    """One action, as its use case knows it; the trail adds when and where.

    Attributes:
        action: Constant slug of the form ``<entity>.<past participle>``.
        actor_id: User who acted, a service's name, or `ANONYMOUS_ACTOR`.
        target_id: What was acted on; empty where it is the actor itself.
        on_behalf_of: User for whom a service or an administrator acted.
        session_id: Session it was done with; kept as a hash. Left out: the one of
            the request or socket event under way (`libs.chassis.origins`).
        source: The client's network address; left out: likewise.
        reason: Stable code of a failure or refusal, or why it was done.
        details: Few ids, slugs and numbers; never a secret, a text or an address.
    """

    action: str
    actor_id: str
    target_id: str = ""
    on_behalf_of: str = ""
    session_id: str = ""
    source: str = ""
    result: AuditResult = AuditResult.SUCCESS
    reason: str = ""
    details: Mapping[str, str | int | bool] = field(default_factory=dict)


class AuditTrail(Protocol):
    """Keeps what was done."""

    async def record(self, entry: AuditEntry, session: Any) -> None:  # noqa: ANN401 - the driver's
        """Keep an entry in the action's transaction.

        Args:
            entry: What was done.
            session: The transaction's session; None for what changed nothing, such
                as a failure.

        Raises:
            UnavailableError: It could not be kept: the action must not happen.
        """
        ...


def encoded_text(text: str) -> str:
    r"""Return a text that cannot end a line, move a cursor or turn what is beside it.

    Control, format and separator characters, and the backslash that marks them, are
    written as ``\u{...}``; at most 256 characters of the text are kept.
    """
    return "".join(map(_encoded, text[:TEXT_MAX]))


def _encoded(character: str) -> str:
    is_unsafe = unicodedata.category(character) in _UNSAFE or character == "\\"
    return f"\\u{{{ord(character):x}}}" if is_unsafe else character
