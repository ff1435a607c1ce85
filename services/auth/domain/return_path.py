"""Where a sign-in may lead: a closed list, compared whole (OI-3)."""

import re
from collections.abc import Collection
from dataclasses import dataclass

from services.auth.domain.errors import RedirectInvalidError
from services.auth.domain.identity import Destination

PATH_PATTERN = re.compile(r"/(?:[A-Za-z0-9_-][A-Za-z0-9_.-]*/?)*")
_LOOPBACK_PATTERN = re.compile(
    r"http://(?:127\.0\.0\.1|\[::1\]):[0-9]{1,5}(?:/[A-Za-z0-9_-]+)*/?"
)
_CHALLENGE_PATTERN = re.compile(r"[A-Za-z0-9_-]{43}")
_HIGHEST_PORT = 65535


@dataclass(frozen=True)
class Redirects:
    """Where the installation lets a sign-in lead.

    Attributes:
        public_url: Scheme, host and port of the web client.
        paths: Of the web client, whole; the first is where an error goes that nobody
            can place.
        native: Addresses of native clients, beside loopback.
    """

    public_url: str
    paths: tuple[str, ...]
    native: tuple[str, ...] = ()

    @property
    def fallback(self) -> Destination:
        """Where a browser goes that nobody knows."""
        return self.browser(self.paths[0])

    def browser(self, path: str) -> Destination:
        """Return a page of the web client; raises `RedirectInvalidError`."""
        return Destination(self.public_url + check_return_path(path, self.paths))

    def client(self, address: str, challenge: str, state: str) -> Destination:
        """Return a native client's address; raises `RedirectInvalidError`.

        Args:
            address: Where it listens.
            challenge: S256 of its verifier: without one it gets nothing.
            state: Handed back.
        """
        if not _CHALLENGE_PATTERN.fullmatch(challenge):
            raise RedirectInvalidError
        return Destination(
            check_native_redirect(address, self.native), challenge, state
        )


def check_return_path(path: str, allowed: Collection[str]) -> str:
    """Return a path of the web client, if it is one of the allowed ones.

    Raises:
        RedirectInvalidError: It is any other text.
    """
    if path not in allowed or not PATH_PATTERN.fullmatch(path):
        raise RedirectInvalidError
    return path


def check_native_redirect(address: str, allowed: Collection[str]) -> str:
    """Return the address of a native client (RFC 8252).

    Any port and path of the loopback addresses, by number; anything else only
    exactly as it was allowed: a claimed https address or a scheme of one's own.

    Raises:
        RedirectInvalidError: It is any other text.
    """
    if address in allowed:
        return address
    if not _LOOPBACK_PATTERN.fullmatch(address):
        raise RedirectInvalidError
    port = address.rpartition(":")[2].partition("/")[0]
    if not 0 < int(port) <= _HIGHEST_PORT:
        raise RedirectInvalidError
    return address
