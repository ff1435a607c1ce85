"""OpenID providers, and what is kept of the identities that they vouch for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from libs.kernel import UserId
from services.auth.domain import (
    ProviderFlow,
    ProviderLink,
    ProviderProof,
)
from services.auth.ports.database import DatabaseSession


@dataclass(frozen=True)
class ProviderKey:
    """A key that a provider signs with, and the one algorithm it is good for."""

    algorithm: str
    key: Any
    """As PyJWT takes it."""


@dataclass(frozen=True)
class ProviderTokens:
    """What a provider gives for a code."""

    id_token: str
    access_token: str = ""


class ProviderClient(Protocol):
    """Asks one provider; every answer is bounded in size and time (NO-1).

    Everything raises `ProviderUnavailableError` where there is no good answer.
    """

    async def authorization_address(self, parameters: Mapping[str, str]) -> str:
        """Return where the browser goes, with these parameters of ours."""
        ...

    async def sends_issuer(self) -> bool:
        """Tell whether it puts ``iss`` into its redirects (RFC 9207)."""
        ...

    async def key(self, kid: str) -> ProviderKey | None:
        """Return the key of exactly this id; unknown ids are asked for rarely."""
        ...

    async def redeem(
        self, code: str, *, verifier: str, redirect_uri: str
    ) -> ProviderTokens:
        """Return the tokens of a code.

        Raises:
            ProviderRefusedError: It does not take the code.
        """
        ...

    async def userinfo(self, access_token: str) -> Mapping[str, Any]:
        """Return the claims of its userinfo endpoint, none if it has no such."""
        ...


class ProviderLinkRepository(Protocol):
    """Which identity belongs to which account; found by issuer and subject alone."""

    async def add(self, link: ProviderLink, session: DatabaseSession) -> None:
        """Store a link.

        Raises:
            IdentityTakenError: The identity has one, or the user has one with this
                provider.
        """
        ...

    async def find(
        self, issuer: str, subject: str, session: DatabaseSession
    ) -> UserId | None:
        """Return whose identity it is."""
        ...

    async def providers_of(
        self, user_id: UserId, session: DatabaseSession
    ) -> Mapping[str, datetime]:
        """Return the ids of a user's providers, and since when."""
        ...

    async def remove(
        self, user_id: UserId, provider_id: str, session: DatabaseSession
    ) -> bool:
        """Remove a link; False if there was none."""
        ...

    async def remove_all(self, user_id: UserId, session: DatabaseSession) -> None:
        """Remove every link of a user."""
        ...


class ProviderFlowRepository(Protocol):
    """Sign-ins on their way; each is taken once, whoever comes first."""

    async def add_flow(self, flow: ProviderFlow) -> None:
        """Store a browser that was sent to a provider."""
        ...

    async def take_flow(self, state_hash: str) -> ProviderFlow | None:
        """Remove and return one; of several callers one gets it."""
        ...

    async def add_proof(self, proof: ProviderProof) -> None:
        """Store a proven identity; it is sealed at rest."""
        ...

    async def take_proof(self, code_hash: str) -> ProviderProof | None:
        """Remove and return one; of several callers one gets it."""
        ...


class LogoutRepository(Protocol):
    """Logout tokens that were acted on, until they have expired."""

    async def add(
        self, token_hash: str, expires_at: datetime, session: DatabaseSession
    ) -> bool:
        """Note one; False if it was noted before."""
        ...


ProviderClients = Mapping[str, ProviderClient]
"""By the provider's id."""
