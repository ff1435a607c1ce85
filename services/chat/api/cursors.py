"""Positions in lists that go by a time or by a number."""

from datetime import datetime

from libs.chassis.pagination import (
    CursorInvalidError,
    cursor_id,
    decode_cursor,
    encode_cursor,
)

_NUMBER_MAX = 2**53


def time_cursor(at: datetime, last_id: str) -> str:
    """Return the cursor of a list that goes by a time, and by an id where it ties."""
    return encode_cursor({"id": last_id, "at": at.isoformat()})


def time_place(cursor: str | None) -> tuple[datetime, str] | None:
    """Return time and id that a page goes on from, None for the first page.

    Raises:
        CursorInvalidError: It is none of such a list.
    """
    last_id = cursor_id(cursor, "id")
    if last_id is None:
        return None
    try:
        at = datetime.fromisoformat(str(decode_cursor(cursor).get("at")))
    except ValueError:
        raise CursorInvalidError from None
    if at.tzinfo is None:
        raise CursorInvalidError
    return at, last_id


def number_cursor(number: int) -> str:
    """Return the cursor of a list that goes by a number."""
    return encode_cursor({"number": number})


def number_place(cursor: str | None) -> int | None:
    """Return the number that a page goes on from, None for the first page.

    Raises:
        CursorInvalidError: It is none of such a list.
    """
    if cursor is None:
        return None
    number = decode_cursor(cursor).get("number")
    if type(number) is not int or not 0 <= number <= _NUMBER_MAX:
        raise CursorInvalidError
    return number
