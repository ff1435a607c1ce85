"""The head of a client's request: its target and headers, and what is wrong in them."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from httptools import parse_url

from libs.chassis.asgi import Headers, Scope

_NEWEST = "1.1"
_VERSIONS = frozenset({"1.0", _NEWEST})


class BadHeadError(Exception):
    """A request's head can be read in two ways, or is of no HTTP that is known."""


class HeadTooLargeError(Exception):
    """A request's line and headers are longer than anybody's."""


class Head:
    """What is there of a head; what llhttp lets pass and a proxy must not is refused.

    Attributes:
        expects_continue: Whether the client waits for a word before it sends the body.
    """

    __slots__ = ("_headers", "_hosts", "_is_chunked", "_target", "expects_continue")

    def __init__(self) -> None:
        self._target = b""
        self._headers: Headers = []
        self._hosts = 0
        self._is_chunked = self.expects_continue = False

    def add_target(self, part: bytes) -> None:
        """Take a part of the target."""
        self._target += part

    def add_header(self, name: bytes, value: bytes) -> None:
        """Take one header.

        Raises:
            BadHeadError: Another coding than chunked, or two of them.
        """
        name, value = name.lower(), value.rstrip()
        if name == b"host":
            self._hosts += 1
        elif name == b"expect":
            self.expects_continue = value.lower() == b"100-continue"
        elif name == b"transfer-encoding":
            if self._is_chunked or value.lower() != b"chunked":
                raise BadHeadError
            self._is_chunked = True
        self._headers.append((name, value))

    def size(self) -> int:
        """Return about how many bytes it has on the wire."""
        return len(self._target) + sum(len(n) + len(v) + 4 for n, v in self._headers)

    def names_http(self, came: bytes | bytearray) -> bool:
        """Tell whether it is of HTTP: llhttp takes RTSP and ICE of the same version.

        Args:
            came: What it came in, from its first byte.
        """
        behind = came.partition(b" %b " % self._target)[2]
        return behind.lstrip(b" ").startswith(b"HTTP/")

    def scope(self, version: str, method: str, ends: Mapping[str, Any]) -> Scope:
        """Return the request's ASGI scope.

        Args:
            version: Of HTTP.
            method: As received.
            ends: What all requests of a connection have alike.

        Raises:
            BadHeadError: No host or two, or a coding that its version does not know
                (RFC 9112, sections 3.2 and 6.1).
            HttpParserInvalidURLError: The target is none.
        """
        is_old = version != _NEWEST
        if version not in _VERSIONS or self._hosts != 1 or self._is_chunked & is_old:
            raise BadHeadError
        path, _, query = self._origin_form().partition(b"?")
        text = path.decode("latin-1")
        return {
            **ends,
            "http_version": version,
            "method": method,
            "path": unquote(text) if "%" in text else text,
            "raw_path": path,
            "query_string": query,
            "headers": self._headers,
        }

    def _origin_form(self) -> bytes:
        """Return path and query, of a target in absolute form too (RFC 9112, 3.2)."""
        if self._target.startswith((b"/", b"*")):
            return self._target
        url = parse_url(self._target)
        return (url.path or b"/") + (b"?" + url.query if url.query else b"")
