"""One OpenID provider over HTTP; source: OpenID Connect Discovery 1.0, Core 1.0."""

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from libs.chassis.key_sets import KeySet
from libs.kernel import Clock, UnavailableError
from services.auth.clients.outbound import Outbound
from services.auth.domain import Provider
from services.auth.domain.errors import (
    ProviderRefusedError,
    ProviderUnavailableError,
)
from services.auth.ports import ProviderKey, ProviderTokens
from services.auth.service import provider_keys

_OK = 200
_REFUSALS = (400, 401)
_DESCRIBED_SECONDS = 3600.0
_RETRY_SECONDS = 2.0
_TOKEN_MAX = 16 * 1024


@dataclass(frozen=True)
class Description:
    """What a provider says of itself."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    sends_issuer: bool


class HttpProviderClient:
    """Asks a provider; see `ProviderClient`.

    Its description is kept for an hour and longer while it does not answer; its keys
    are fetched at most once in 30 s.

    Args:
        provider: As configured.
        secret: Of our client there; None for a public client.
    """

    def __init__(
        self, provider: Provider, secret: str | None, outbound: Outbound, clock: Clock
    ) -> None:
        self._provider = provider
        self._secret = secret
        self._outbound = outbound
        self._clock = clock
        self._description: Description | None = None
        self._next_look = float("-inf")
        self._describing = asyncio.Lock()
        self._keys: KeySet[ProviderKey] = KeySet(self._fetch_keys, provider_keys, clock)

    async def aclose(self) -> None:
        """Stop what runs in the background."""
        await self._keys.aclose()

    async def authorization_address(self, parameters: Mapping[str, str]) -> str:
        """Return the provider's page with our parameters."""
        address = (await self._described()).authorization_endpoint
        separator = "&" if urlsplit(address).query else "?"
        return f"{address}{separator}{urlencode(parameters)}"

    async def sends_issuer(self) -> bool:
        """Tell whether it puts ``iss`` into its redirects."""
        return (await self._described()).sends_issuer

    async def key(self, kid: str) -> ProviderKey | None:
        """Return the key of exactly this id."""
        try:
            return await self._keys.key(kid)
        except UnavailableError:
            raise ProviderUnavailableError from None

    async def redeem(
        self, code: str, *, verifier: str, redirect_uri: str
    ) -> ProviderTokens:
        """Return the tokens of a code; see `ProviderClient.redeem`."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        headers = self._authenticate(form)
        endpoint = (await self._described()).token_endpoint
        status, answer = await self._outbound.ask(endpoint, form=form, headers=headers)
        if status in _REFUSALS:
            raise ProviderRefusedError
        tokens = answer if status == _OK and isinstance(answer, dict) else {}
        id_token, access_token = tokens.get("id_token"), tokens.get("access_token", "")
        if not isinstance(id_token, str) or not isinstance(access_token, str):
            raise ProviderUnavailableError
        if len(access_token) > _TOKEN_MAX or not access_token.isascii():
            raise ProviderUnavailableError
        return ProviderTokens(id_token, access_token)

    async def userinfo(self, access_token: str) -> Mapping[str, Any]:
        """Return what its userinfo endpoint says; nothing without one."""
        endpoint = (await self._described()).userinfo_endpoint
        if endpoint is None:
            return {}
        headers = {"Authorization": f"Bearer {access_token}"}
        status, answer = await self._outbound.ask(endpoint, headers=headers)
        if status != _OK or not isinstance(answer, dict):
            raise ProviderUnavailableError
        return answer

    def _authenticate(self, form: dict[str, str]) -> dict[str, str]:
        """Show who we are (RFC 6749, section 2.3.1); return the headers of it."""
        client_id = self._provider.client_id
        if self._secret is None:
            form["client_id"] = client_id
            return {}
        if self._provider.token_auth == "post":  # noqa: S105 - a kind, no password
            form |= {"client_id": client_id, "client_secret": self._secret}
            return {}
        pair = f"{quote(client_id, safe='')}:{quote(self._secret, safe='')}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}

    async def _described(self) -> Description:
        async with self._describing:
            if self._clock.monotonic() >= self._next_look:
                await self._look()
        if self._description is None:
            raise ProviderUnavailableError
        return self._description

    async def _look(self) -> None:
        pause = _DESCRIBED_SECONDS
        try:
            self._description = await self._describe()
        except ProviderUnavailableError:
            # Who waited for this look is not to wait for another one.
            pause = _RETRY_SECONDS
        self._next_look = self._clock.monotonic() + pause

    async def _describe(self) -> Description:
        status, answer = await self._outbound.ask(self._provider.discovery_address)
        document = answer if status == _OK and isinstance(answer, dict) else {}
        if document.get("issuer") != self._provider.issuer:
            raise ProviderUnavailableError
        userinfo = document.get("userinfo_endpoint")
        return Description(
            authorization_endpoint=self._allowed(document, "authorization_endpoint"),
            token_endpoint=self._allowed(document, "token_endpoint"),
            jwks_uri=self._allowed(document, "jwks_uri"),
            userinfo_endpoint=self._allowed(document, "userinfo_endpoint")
            if userinfo is not None
            else None,
            sends_issuer=document.get("authorization_response_iss_parameter_supported")
            is True,
        )

    def _allowed(self, document: Mapping[str, Any], name: str) -> str:
        address = document.get(name)
        if not isinstance(address, str) or not self._provider.may_ask(address):
            raise ProviderUnavailableError
        return address

    async def _fetch_keys(self) -> object:
        jwks_uri = (await self._described()).jwks_uri
        status, answer = await self._outbound.ask(jwks_uri)
        if status != _OK:
            raise ProviderUnavailableError
        return answer
