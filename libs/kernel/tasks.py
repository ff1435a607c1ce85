"""Ending tasks for good, whatever a driver makes of a cancellation."""

import asyncio
from collections.abc import Collection
from typing import Any

_CANCEL_AGAIN_SECONDS = 0.2


async def end_tasks(tasks: "Collection[asyncio.Task[Any]]") -> None:
    """Cancel tasks until they are done; what they end with is dropped.

    Once is not enough: a cancellation that arrives inside a call of a driver can come
    out of it as that driver's own error (PyMongo does so), which a task that tries
    again would take for an outage.
    """
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=_CANCEL_AGAIN_SECONDS)
    await asyncio.gather(*tasks, return_exceptions=True)
