"""A message on its way through the writer."""

import asyncio
import time

from libs.events.tracing import Cause
from libs.kernel import EventId, MessageId, UnavailableError, new_id
from services.chat.domain.errors import SendUnconfirmedError
from services.chat.domain.message import Draft, Message
from services.chat.ports import SentKey


class Pending:
    """A draft, its ids, and the future its sender waits on.

    The ids are made once: a try that is repeated after an unknown outcome meets
    its own first try under the unique indexes.
    """

    __slots__ = (
        "cause",
        "draft",
        "event_id",
        "future",
        "is_in_doubt",
        "key",
        "message_id",
        "queued_at",
        "tries",
    )

    def __init__(
        self, draft: Draft, future: asyncio.Future[Message], cause: Cause
    ) -> None:
        self.draft = draft
        self.future = future
        self.key: SentKey = (
            draft.conversation_id,
            draft.sender_id,
            draft.client_message_id,
        )
        self.message_id = MessageId(new_id())
        self.event_id = EventId(new_id())
        self.cause = cause
        self.queued_at = time.perf_counter()
        self.tries = 0
        self.is_in_doubt = False

    def settle(self, message: Message) -> None:
        """Tell the sender the result, unless it left."""
        if not self.future.done():
            self.future.set_result(message)

    def fail(self, error: Exception) -> None:
        """Tell the sender why nothing was stored, unless it left.

        Where an earlier try may be stored all the same, what keeps a later one from
        being tried says nothing of it: the sender is told that it is unknown.
        """
        if self.is_in_doubt and isinstance(error, UnavailableError):
            error = SendUnconfirmedError()
        if not self.future.done():
            self.future.set_exception(error)
