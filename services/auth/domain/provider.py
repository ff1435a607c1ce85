"""OpenID providers, as the installation's settings describe them."""

import ipaddress
import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from services.auth.domain.errors import ProviderMissingError

Slug = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
Text = Annotated[str, Meta(min_length=1, max_length=256)]
Texts = Annotated[tuple[Text, ...], Meta(max_length=32)]

_SCOPE_PATTERN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")


class ProvidersInvalidError(Exception):
    """The file of providers is wrong; the sentence says where."""


class ClaimNames(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which claims of a provider mean what."""

    email: Text = "email"
    email_verified: Text = "email_verified"
    display_name: Text = "name"
    locale: Text = "locale"


class Provider(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One provider that people may sign in with.

    Attributes:
        provider_id: Stands in addresses; never changes, for sessions name it.
        name: What people see.
        issuer: Exact claim ``iss``; its well-known document names the rest.
        client_secret_file: None for a public client, which has PKCE alone.
        token_auth: How the secret is shown (RFC 6749, section 2.3.1).
        allows_registration: Whether an identity without an account may open one.
        mail_domains: With it: only addresses of these; empty for any.
        endpoint_hosts: Hosts, beside the issuer's, that its endpoints may be on: a
            provider does not send us to any other (SSRF).
    """

    provider_id: Slug = msgspec.field(name="id")
    name: Annotated[str, Meta(min_length=1, max_length=64)]
    issuer: Text
    client_id: Text
    client_secret_file: Text | None = None
    token_auth: Literal["basic", "post"] = "basic"  # noqa: S105 - a kind
    scopes: Texts = ("openid", "email", "profile")
    allows_registration: bool = False
    mail_domains: Texts = ()
    endpoint_hosts: Texts = ()
    claims: ClaimNames = ClaimNames()

    def __post_init__(self) -> None:
        """Refuse what no schema shows."""
        if not is_safe_address(self.issuer) or urlsplit(self.issuer).query:
            raise ValueError(f"{self.provider_id}: the issuer is no https address")
        if "openid" not in self.scopes or not all(
            _SCOPE_PATTERN.fullmatch(scope) for scope in self.scopes
        ):
            raise ValueError(f"{self.provider_id}: scopes are words, one is openid")

    @property
    def discovery_address(self) -> str:
        """Where the provider describes itself (OpenID Connect Discovery 1.0)."""
        return f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"

    def may_ask(self, address: object) -> bool:
        """Tell whether an address that the provider named is one we go to."""
        if not isinstance(address, str) or not is_safe_address(address):
            return False
        own, other = urlsplit(self.issuer), urlsplit(address)
        if other.netloc == own.netloc:
            return other.scheme == own.scheme
        return other.scheme == "https" and other.netloc in self.endpoint_hosts

    def admits(self, domain: str) -> bool:
        """Tell whether a mail domain may open an account with this provider."""
        if not self.allows_registration:
            return False
        return not self.mail_domains or domain.lower() in self.mail_domains


class Providers:
    """Every configured provider, by id."""

    def __init__(self, providers: Sequence[Provider] = ()) -> None:
        self._by_id = {one.provider_id: one for one in providers}
        if len(self._by_id) != len(providers):
            raise ProvidersInvalidError("an id stands twice")
        # One identity is (iss, sub): two clients of one issuer would share it.
        if len({one.issuer for one in providers}) != len(providers):
            raise ProvidersInvalidError("an issuer stands twice")

    @classmethod
    def parse(cls, document: bytes) -> "Providers":
        """Read ``{"providers": [...]}`` with the fields of `Provider`.

        Raises:
            ProvidersInvalidError: Not such a document.
        """
        try:
            read = msgspec.json.decode(document, type=dict[str, tuple[Provider, ...]])
        except msgspec.MsgspecError as error:
            raise ProvidersInvalidError(str(error)) from None
        if set(read) != {"providers"}:
            raise ProvidersInvalidError('the document is {"providers": [...]}')
        return cls(read["providers"])

    def __iter__(self) -> Iterator[Provider]:
        """Return the providers in the order of the file."""
        return iter(self._by_id.values())

    def get(self, provider_id: str) -> Provider:
        """Return a provider.

        Raises:
            ProviderMissingError: None is configured with this id.
        """
        found = self._by_id.get(provider_id)
        if found is None:
            raise ProviderMissingError
        return found


def is_safe_address(address: str) -> bool:
    """Tell whether an address is https, or http on loopback, and nothing odd."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    is_odd = parts.username is not None or parts.fragment or port == 0
    if is_odd or not host or not address.isascii() or not address.isprintable():
        return False
    if " " in address or "\\" in address:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
