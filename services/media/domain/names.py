"""Display names of files: what is let in, and how one goes out in a header."""

import unicodedata
from urllib.parse import quote

from services.media.domain.errors import FileNameError

MAX_NAME_BYTES = 255
"""Of UTF-8; the limit of the file systems the name will land on."""

_SEPARATORS = frozenset("/\\\u2044\u2215\u29f8\uff0f\uff3c")
"""Slashes and what is drawn like them."""

_REFUSED_CATEGORIES = {
    "Cc": "control_character",
    "Cs": "surrogate",
    "Cn": "unassigned_character",
    "Co": "private_use_character",
    "Zl": "line_separator",
    "Zp": "line_separator",
}
_JOINERS = frozenset("\u200c\u200d")
"""Format characters that emoji and some scripts need inside a word."""


def check_file_name(name: str) -> str:
    """Return a display name as it is stored: in Unicode normal form C.

    Args:
        name: As typed by the sender; never used as a path or an object key.

    Returns:
        1..255 bytes of UTF-8.

    Raises:
        FileNameError: Empty, too long, a dot name, edge whitespace, a control,
            format (bidirectional, zero width), unassigned or separating character.
    """
    reason = _first_refused(name)
    if reason is not None:
        raise FileNameError(reason)
    normal = unicodedata.normalize("NFC", name)
    if len(normal.encode()) > MAX_NAME_BYTES:
        raise FileNameError("too_long")
    if not normal or normal != normal.strip() or normal.strip(".") == "":
        raise FileNameError("empty_or_padded")
    return normal


def content_disposition(name: str, *, is_inline: bool = False) -> str:
    """Return a header value that offers the bytes under a name.

    Args:
        name: A name that `check_file_name` returned.
        is_inline: Whether a browser may show it; only for re-encoded images.

    Returns:
        ASCII, with the name twice: a plain fallback and the exact one.
        Source: RFC 6266 section 4.3, RFC 8187.
    """
    kind = "inline" if is_inline else "attachment"
    fallback = "".join(
        char if char.isascii() and (char.isalnum() or char in " ._-") else "_"
        for char in name
    )
    return f"{kind}; filename=\"{fallback}\"; filename*=UTF-8''{quote(name, safe='')}"


def extension_of(name: str) -> str:
    """Return the lower-case extension without its dot; empty where there is none."""
    stem, dot, extension = name.rpartition(".")
    return extension.casefold() if dot and stem else ""


def _first_refused(name: str) -> str | None:
    for char in name:
        if char in _SEPARATORS:
            return "separator"
        category = unicodedata.category(char)
        if category == "Cf" and char not in _JOINERS:
            return "format_character"
        if category in _REFUSED_CATEGORIES:
            return _REFUSED_CATEGORIES[category]
    return None
