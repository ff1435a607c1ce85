"""Closing a bus ends its tasks, whatever the driver makes of a cancellation."""

import asyncio

from pymongo.errors import NetworkTimeout

from libs.events.rabbitmq.persistence import _end


async def test_a_swallowed_cancellation_is_repeated() -> None:
    """A task that takes its first cancellation for an outage is still ended."""
    swallowed = 0

    async def sweep() -> None:
        nonlocal swallowed
        while True:
            try:
                await _driver_call()
            except NetworkTimeout:
                swallowed += 1
            await asyncio.sleep(3600)

    async def _driver_call() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError as error:
            raise NetworkTimeout("cut") from error

    task = asyncio.create_task(sweep())
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await _end([task])
    assert task.cancelled()
    assert swallowed == 1
