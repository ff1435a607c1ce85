"""The keys that sign access tokens."""

from typing import Protocol

from libs.crypto import SigningKey


class AccessTokenKeys(Protocol):
    """What signs now, and what everybody else is to know."""

    @property
    def current(self) -> SigningKey:
        """The key that signs now."""
        ...

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """Return the public JWKS document (RFC 7517)."""
        ...
