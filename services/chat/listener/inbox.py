"""What the ASGI app of one socket has not read yet."""

import asyncio

from libs.chassis.asgi import Message


class Inbox:
    """A queue for one reader; an idle one takes a tenth of `asyncio.Queue`'s memory.

    It bounds nothing: the connection refuses what is too much.
    """

    __slots__ = ("_messages", "_reader")

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._reader: asyncio.Future[None] | None = None

    def __len__(self) -> int:
        """Return how many messages wait."""
        return len(self._messages)

    def put(self, message: Message) -> None:
        """Add a message and wake the reader."""
        self._messages.append(message)
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    async def get(self) -> Message:
        """Return the oldest message, in the order of `put`; one reader at a time."""
        while not self._messages:
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        return self._messages.pop(0)
