"""Pages of a list: items and an opaque cursor, never offsets."""

import base64
import binascii
from collections.abc import Mapping
from typing import Annotated, Any, Generic, TypeVar

import orjson
from fastapi import Query
from pydantic import BaseModel

from libs.chassis.payloads import JsonLimits, parse_json
from libs.kernel import InvalidError, is_id

T = TypeVar("T")
DEFAULT_LIMIT = 50
MAX_LIMIT = 200
MAX_CURSOR_CHARACTERS = 1024
_LIMITS = JsonLimits(body_bytes=MAX_CURSOR_CHARACTERS, depth=1, names=8)
_MAX_TEXT = 256

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Items of a page.")]
"""Use as ``limit: Limit = DEFAULT_LIMIT``."""


class CursorInvalidError(InvalidError):
    """400 ``cursor_invalid``: the same answer in every list of the house."""

    def __init__(self) -> None:
        super().__init__("cursor_invalid", "The cursor was not made by this list.")


class Page(BaseModel, Generic[T]):
    """One page; the last one has no `next_cursor`.

    Attributes:
        items: At most the limit asked for.
        next_cursor: Give it back as ``cursor`` for the items that follow.
    """

    items: list[T]
    next_cursor: str | None = None


def encode_cursor(position: Mapping[str, str | int | float | bool | None]) -> str:
    """Return an opaque text for a position in a list.

    Args:
        position: Up to 8 named scalars; not secret, not protected against change.

    Raises:
        ValueError: It would not be taken back.
    """
    raw = base64.urlsafe_b64encode(orjson.dumps(dict(position))).rstrip(b"=").decode()
    try:
        decode_cursor(raw)
    except InvalidError as error:
        raise ValueError("position is too large, or holds more than scalars") from error
    return raw


def decode_cursor(cursor: str | None) -> dict[str, Any]:
    """Return the position of a cursor, empty for none.

    A client may have written it: values are scalars, never operators, but which names
    and types there are is for the caller to check.

    Raises:
        CursorInvalidError: It was not made by `encode_cursor`.
    """
    if cursor is None:
        return {}
    if not 0 < len(cursor) <= MAX_CURSOR_CHARACTERS:
        raise CursorInvalidError
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        position = parse_json(base64.b64decode(padded, b"-_", validate=True), _LIMITS)
    except (binascii.Error, ValueError, InvalidError):
        raise CursorInvalidError from None
    if not isinstance(position, dict):
        raise CursorInvalidError
    if any(isinstance(v, str) and len(v) > _MAX_TEXT for v in position.values()):
        raise CursorInvalidError
    return position


def cursor_id(cursor: str | None, name: str) -> str | None:
    """Return the id that a page goes on from, None for the first page.

    Args:
        cursor: What the client gave.
        name: Of the position's field: ``before`` or ``after``, as the list made it.

    Raises:
        CursorInvalidError: It is none of such a list.
    """
    if cursor is None:
        return None
    position = decode_cursor(cursor).get(name)
    if not isinstance(position, str) or not is_id(position):
        raise CursorInvalidError
    return position
