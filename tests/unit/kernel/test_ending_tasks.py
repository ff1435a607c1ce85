"""Tasks are ended for good, whatever a driver makes of a cancellation."""

import asyncio

from pymongo.errors import NetworkTimeout

from libs.kernel import end_tasks


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
        await end_tasks([task])
    assert task.cancelled()
    assert swallowed == 1


async def test_what_a_task_ends_with_is_dropped() -> None:
    """An error on the way out is nobody's: it does not reach who ends the task."""

    async def stumble() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            raise ValueError("on the way out")

    task = asyncio.create_task(stumble())
    await asyncio.sleep(0)
    await end_tasks([task])
    assert task.done()


async def test_nothing_to_end_is_no_error() -> None:
    """No tasks, or tasks that have ended, are ended at once."""
    task = asyncio.create_task(asyncio.sleep(0))
    await task
    await end_tasks([])
    await end_tasks([task])
