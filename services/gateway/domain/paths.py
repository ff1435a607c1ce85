"""Paths are taken in their one normal form or refused.

A gateway that decides by one reading of a path while a service acts on another is a
hole; so nothing is cleaned up here: what two servers might read differently is an
error (security.md HT-4, AZ).
"""

import re
from functools import lru_cache
from unicodedata import category
from urllib.parse import unquote_to_bytes

from services.gateway.domain.errors import PathInvalidError

_LENGTH_MAX = 2_048
# RFC 3986, section 3.3: pchar, and "/" between segments.
_RAW_PATTERN = re.compile(
    rb"/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*", re.ASCII
)
_ESCAPED_FORBIDDEN = re.compile(rb"%(?:2[eEfF5]|5[cC]|[01][0-9A-Fa-f]|7[fF])")
# A letter that is written as an escape would hide a path from its own entry of the
# table: services read it as the letter (RFC 3986, section 6.2.2.2).
_ESCAPED_NEEDLESSLY = re.compile(
    rb"%(?:2[dD]|3[0-9]|[46][1-9a-fA-F]|[57][0-9aA]|5[fF]|7[eE])"
)
# Control and format characters, and separators of lines; not what is newer than Python.
_UNSEEN = frozenset({"Cc", "Cf", "Zl", "Zp"})
# Format characters that are parts of emoji: the joiner, and the tags of flags (Unicode
# Technical Standard 51, ED-14a and ED-16).
_EMOJI_JOINTS = frozenset(map(chr, [0x200D, *range(0xE0020, 0xE0080)]))
_QUERY_PATTERN = re.compile(rb"[\x21-\x7e]*")


@lru_cache(maxsize=4_096)
def normal_path(raw: bytes) -> str:
    """Return the path of a request target, still percent-encoded.

    Args:
        raw: As on the wire, without the query.

    Returns:
        The same characters: safe to match routes on and to send on.

    Raises:
        PathInvalidError: Empty, dot or doubled segments, a trailing slash, an
            escaped slash, backslash, dot, percent or control character, an escape
            that needs none (letters, digits, ``-_~``), bytes that are not UTF-8, or
            longer than 2,048 bytes.
    """
    if len(raw) > _LENGTH_MAX or not _RAW_PATTERN.fullmatch(raw):
        raise PathInvalidError
    if b"%" in raw:
        _check_escapes(raw)
    segments = raw.split(b"/")[1:]
    if any(segment in {b"", b".", b".."} for segment in segments):
        raise PathInvalidError
    return raw.decode("ascii")


def check_query(raw: bytes) -> None:
    """Refuse a query that could end up as two header lines or two targets.

    Raises:
        PathInvalidError: Spaces, control characters or bytes above 0x7e.
    """
    if not _QUERY_PATTERN.fullmatch(raw):
        raise PathInvalidError


def _check_escapes(raw: bytes) -> None:
    if _ESCAPED_FORBIDDEN.search(raw) or _ESCAPED_NEEDLESSLY.search(raw):
        raise PathInvalidError
    try:
        text = unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        raise PathInvalidError from None
    if any(category(one) in _UNSEEN and one not in _EMOJI_JOINTS for one in text):
        raise PathInvalidError
