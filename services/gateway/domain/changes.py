"""What a route changes in headers, and what it says of its own end: as data."""

import re
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from typing import Self

import msgspec

from services.gateway.domain.headers import (
    REQUEST_RESERVED,
    RESPONSE_RESERVED,
    Headers,
)

_NAME_PATTERN = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")
_VALUE_PATTERN = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")


class HeaderChanges:
    """Headers that a route takes away and sets.

    Args:
        settings: By name in lower case; what came under the name is replaced.
        removed: Names in lower case.
    """

    reserved: Collection[bytes] = ()

    def __init__(self, settings: Mapping[str, str], removed: Collection[str]) -> None:
        for name in (*settings, *removed):
            self._check_name(name)
        for name, value in settings.items():
            if not _VALUE_PATTERN.fullmatch(value):
                raise ValueError(f"header {name}: its value is not printable ASCII")
        self._set = [(k.encode(), v.encode()) for k, v in settings.items()]
        self._gone = frozenset(name.encode() for name in (*settings, *removed))

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read ``{"set": {...}, "remove": [...]}``.

        Raises:
            ValueError: It is something else, or names what only the gateway writes.
        """
        found = msgspec.convert(value, _Raw)
        return cls(found.set, found.remove)

    def apply(self, headers: Headers) -> Headers:
        """Return the headers after the changes."""
        kept = [pair for pair in headers if pair[0] not in self._gone]
        return kept + self._set

    def _check_name(self, name: str) -> None:
        if not _NAME_PATTERN.fullmatch(name):
            raise ValueError(f"header {name!r} is no name in lower case")
        if name.encode() in self.reserved:
            raise ValueError(f"header {name} is the gateway's own")


class RequestChanges(HeaderChanges):
    """Changes of what a service is sent."""

    reserved = REQUEST_RESERVED


class ResponseChanges(HeaderChanges):
    """Changes of what a client is sent."""

    reserved = RESPONSE_RESERVED


class _Raw(msgspec.Struct, forbid_unknown_fields=True):
    set: dict[str, str] = {}
    remove: tuple[str, ...] = ()


class Deprecation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Since when a route or a version should not be used, and until when it works.

    Attributes:
        since: First day on which it is deprecated (RFC 9745).
        sunset: First day on which it may be gone (RFC 8594).
        successor: Prefix of what takes its place (RFC 5829).
        information: Address of a page about it.
    """

    since: date
    sunset: date | None = None
    successor: str | None = None
    information: str | None = None

    def __post_init__(self) -> None:
        if self.sunset is not None and self.sunset < self.since:
            raise ValueError("sunset is before since")  # RFC 9745, section 4
        for link in (self.successor, self.information):
            if link is not None and not re.fullmatch(r"[\x21-\x7e]+", link):
                raise ValueError(f"{link!r} is no address")

    def headers(self) -> Headers:
        """Return what clients are told in every response."""
        headers = [(b"deprecation", b"@%d" % _midnight(self.since).timestamp())]
        if self.sunset is not None:
            text = format_datetime(_midnight(self.sunset), usegmt=True)
            headers.append((b"sunset", text.encode()))
        if self.successor is not None:
            link = f'<{self.successor}>; rel="successor-version"'
            headers.append((b"link", link.encode()))
        if self.information is not None:
            link = f'<{self.information}>; rel="deprecation"; type="text/html"'
            headers.append((b"link", link.encode()))
        return headers


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)
