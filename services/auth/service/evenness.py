"""Answers that take as long whatever was found (EN-2)."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class EvenAnswers:
    """Holds answers back until a fixed time after the question.

    What is done for an address that has an account (a transaction, an event) differs
    from what is done for one that has none; it is much shorter than this time.

    Attributes:
        seconds: From question to answer.
    """

    seconds: float

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Leave the block no sooner than `seconds` after it was entered."""
        begun = time.monotonic()
        yield
        await asyncio.sleep(max(0.0, begun + self.seconds - time.monotonic()))
