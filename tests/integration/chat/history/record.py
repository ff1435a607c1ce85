"""What clients asked for and what they were told: the history that is checked.

Words are those of Jepsen: a step is `invoke` (asked), `ok` (told that it is done),
`fail` (told that it is not) or `info` (unknown: cut off, timed out, a server error).
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Operation:
    """One thing a client wants done, and how it went.

    Attributes:
        kind: send, edit, delete, react, rename, add, remove.
        target: What names it: a client_message_id, message id or user id.
        wanted: What was asked for, by field.
        step: The last one: invoke, ok, fail or info.
        invoked_at: Monotonic seconds of the first invocation.
        ended_at: Of the answer; None while there is none.
        told: The answer of an `ok` or a `fail`.
        was_unknown: Whether an earlier try had no answer.
    """

    client: str
    kind: str
    conversation_id: str
    target: str
    wanted: dict[str, Any] = field(default_factory=dict)
    step: str = "invoke"
    invoked_at: float = field(default_factory=time.monotonic)
    ended_at: float | None = None
    told: dict[str, Any] = field(default_factory=dict)
    was_unknown: bool = False

    def doubt(self) -> None:
        """Note that a try had no answer; the next one may have."""
        self.step, self.was_unknown = "info", True

    def end(self, step: str, told: dict[str, Any] | None = None) -> None:
        """Note how it ended."""
        self.step, self.told, self.ended_at = step, told or {}, time.monotonic()


@dataclass
class Session:
    """What one socket was given, in the order of arrival.

    Attributes:
        subscribed: Revision of each conversation in the answer to the subscription.
        items: (conversation id, revision, event).
    """

    client: str
    subscribed: dict[str, int] = field(default_factory=dict)
    items: list[tuple[str, int, str]] = field(default_factory=list)

    def revisions(self, conversation_id: str) -> list[int]:
        """Return the revisions that came of one conversation."""
        return [item[1] for item in self.items if item[0] == conversation_id]


@dataclass
class Record:
    """Everything that happened on the clients' side."""

    operations: list[Operation] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)

    def begin(
        self, client: str, kind: str, conversation_id: str, target: str, **wanted: Any
    ) -> Operation:
        """Note that a client asks for something."""
        operation = Operation(client, kind, conversation_id, target, wanted)
        self.operations.append(operation)
        return operation

    def of(self, kind: str, conversation_id: str) -> Iterator[Operation]:
        """Yield the operations of a kind on a conversation."""
        for operation in self.operations:
            if (operation.kind, operation.conversation_id) == (kind, conversation_id):
                yield operation
