"""What waits for the ASGI app of one socket."""

import asyncio

import pytest

from services.chat.listener.inbox import Inbox


async def test_messages_come_out_in_order() -> None:
    """Whether they wait or the reader does."""
    inbox = Inbox()
    for number in range(3):
        inbox.put({"type": str(number)})
    assert len(inbox) == 3
    assert [(await inbox.get())["type"] for _ in range(3)] == ["0", "1", "2"]
    reading = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    inbox.put({"type": "3"})
    inbox.put({"type": "4"})
    assert (await reading)["type"] == "3"
    assert (await inbox.get())["type"] == "4"


async def test_a_reader_that_gives_up_takes_nothing_with_it() -> None:
    """The next reader gets what comes after."""
    inbox = Inbox()
    reading = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    inbox.put({"type": "1"})
    assert (await inbox.get())["type"] == "1"
