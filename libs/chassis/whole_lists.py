"""Reading a list to its end in pages, so that its length costs no memory."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final, TypeVar

WHOLE_LIST_PAGE: Final = 200
"""How many items are read at a time."""

T = TypeVar("T")


async def paged(
    page: Callable[[str | None], Awaitable[Sequence[T]]], place: Callable[[T], str]
) -> AsyncIterator[T]:
    """Read a list to its end.

    Args:
        page: Returns what comes after a place, at most `WHOLE_LIST_PAGE`; fewer at
            the end.
        place: Of an item, where to go on from.
    """
    after: str | None = None
    while True:
        items = await page(after)
        for item in items:
            yield item
        if len(items) < WHOLE_LIST_PAGE:
            return
        after = place(items[-1])
