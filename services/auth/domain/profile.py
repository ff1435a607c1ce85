"""Rules of what people show of themselves: handle, name, status, locale, zone."""

import re
import unicodedata
from functools import cache
from zoneinfo import available_timezones

from services.auth.domain.errors import (
    DisplayNameInvalidError,
    HandleInvalidError,
    LocaleInvalidError,
    StatusTextInvalidError,
    TimeZoneInvalidError,
)

DISPLAY_NAME_CODE_POINTS_MAX = 64
STATUS_TEXT_CODE_POINTS_MAX = 140

_HANDLE = re.compile(r"[a-z][a-z0-9_.-]{1,30}[a-z0-9]")
_LOCALE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?")
_JOINERS = "\u200c\u200d"  # Persian and Indic scripts, and emoji, need them
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

RESERVED_HANDLES = frozenset(
    {
        "abuse",
        "admin",
        "administrator",
        "all",
        "anonymous",
        "api",
        "auth",
        "bot",
        "channel",
        "everyone",
        "guest",
        "help",
        "here",
        "hostmaster",
        "info",
        "moderator",
        "nobody",
        "noreply",
        "no-reply",
        "null",
        "online",
        "owner",
        "parley",
        "postmaster",
        "root",
        "security",
        "service",
        "support",
        "system",
        "team",
        "undefined",
        "webmaster",
    }
)
"""Handles that could pass for the installation itself, or that mention a group."""


def check_handle(handle: str) -> str:
    """Return the handle if it may be taken.

    Args:
        handle: Already lower case; a capital letter is refused rather than folded,
            so that what was typed is what others must type.

    Raises:
        HandleInvalidError: It breaks the pattern or is reserved.
    """
    if _HANDLE.fullmatch(handle) is None:
        raise HandleInvalidError("pattern")
    if handle in RESERVED_HANDLES:
        raise HandleInvalidError("reserved")
    return handle


def check_display_name(name: str) -> str:
    """Return the name in NFC without outer white space.

    Raises:
        DisplayNameInvalidError: It is empty, longer than 64 code points, or holds
            control, bidirectional or other invisible characters.
    """
    clean = unicodedata.normalize("NFC", name).strip()
    if not clean.strip(_JOINERS) or len(clean) > DISPLAY_NAME_CODE_POINTS_MAX:
        raise DisplayNameInvalidError
    if _holds_invisible(clean):
        raise DisplayNameInvalidError
    return clean


def check_status_text(text: str) -> str:
    """Return the status text in NFC without outer white space; it may be empty.

    Raises:
        StatusTextInvalidError: It is longer than 140 code points or holds control,
            bidirectional or other invisible characters.
    """
    clean = visible_text(text, STATUS_TEXT_CODE_POINTS_MAX)
    if clean is None:
        raise StatusTextInvalidError
    return clean


def visible_text(text: str, code_points_max: int) -> str | None:
    """Return a text in NFC without outer white space.

    None if it is too long or holds control, bidirectional or other invisible
    characters.
    """
    clean = unicodedata.normalize("NFC", text).strip()
    if len(clean) > code_points_max or _holds_invisible(clean):
        return None
    return clean


def clean_device_name(name: str) -> str:
    """Return what can be shown of a client's name for itself, up to 64 code points.

    Lenient, unlike the other rules: a sign-in does not fail over a label.
    """
    normal = unicodedata.normalize("NFC", name)
    shown = [letter for letter in normal if not _holds_invisible(letter)]
    return "".join(shown).strip()[:DISPLAY_NAME_CODE_POINTS_MAX]


def check_locale(locale: str) -> str:
    """Return the language tag: language, script and region (RFC 5646) at most.

    Raises:
        LocaleInvalidError: It has another form.
    """
    if _LOCALE.fullmatch(locale) is None:
        raise LocaleInvalidError
    return locale


def check_time_zone(time_zone: str) -> str:
    """Return the name if the IANA time zone database has it.

    Raises:
        TimeZoneInvalidError: It does not.
    """
    if time_zone not in _time_zones():
        raise TimeZoneInvalidError
    return time_zone


def search_key(text: str) -> str:
    """Return the form under which a name is searched: NFKC, case folded."""
    return unicodedata.normalize("NFKC", text).casefold().strip()


def _holds_invisible(text: str) -> bool:
    return any(
        unicodedata.category(character) in _INVISIBLE and character not in _JOINERS
        for character in text
    )


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones()) | {"UTC"}
