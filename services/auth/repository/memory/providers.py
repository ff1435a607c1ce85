"""Linked identities and sign-ins on their way in memory, for tests."""
# ruff: noqa: ARG002 - the ports pass a database session, memory has none

from collections.abc import Mapping
from datetime import datetime

from libs.kernel import UserId
from services.auth.domain import (
    ProviderFlow,
    ProviderLink,
    ProviderProof,
)
from services.auth.domain.errors import IdentityTakenError
from services.auth.ports import DatabaseSession


class MemoryProviderLinkRepository:
    """Links in a list."""

    def __init__(self) -> None:
        self._links: list[ProviderLink] = []

    async def add(self, link: ProviderLink, session: DatabaseSession) -> None:
        """Store a link; see `ProviderLinkRepository.add`."""
        is_taken = await self.find(link.issuer, link.subject, session) is not None
        if is_taken or link.provider_id in await self.providers_of(
            link.user_id, session
        ):
            raise IdentityTakenError
        self._links.append(link)

    async def find(
        self, issuer: str, subject: str, session: DatabaseSession
    ) -> UserId | None:
        """Return whose identity it is."""
        found = (
            link.user_id
            for link in self._links
            if (link.issuer, link.subject) == (issuer, subject)
        )
        return next(found, None)

    async def providers_of(
        self, user_id: UserId, session: DatabaseSession
    ) -> Mapping[str, datetime]:
        """Return the ids of a user's providers, and since when."""
        return {
            link.provider_id: link.linked_at
            for link in self._links
            if link.user_id == user_id
        }

    async def remove(
        self, user_id: UserId, provider_id: str, session: DatabaseSession
    ) -> bool:
        """Remove a link; False if there was none."""
        key = (user_id, provider_id)
        kept = [one for one in self._links if (one.user_id, one.provider_id) != key]
        is_removed = len(kept) < len(self._links)
        self._links = kept
        return is_removed

    async def remove_all(self, user_id: UserId, session: DatabaseSession) -> None:
        """Remove every link of a user."""
        self._links = [link for link in self._links if link.user_id != user_id]


class MemoryLogoutRepository:
    """Acted-on logout tokens in a set."""

    def __init__(self) -> None:
        self._noted: set[str] = set()

    async def add(
        self, token_hash: str, expires_at: datetime, session: DatabaseSession
    ) -> bool:
        """Note one; False if it was noted before."""
        if token_hash in self._noted:
            return False
        self._noted.add(token_hash)
        return True


class MemoryProviderFlowRepository:
    """Flows and proofs in dictionaries."""

    def __init__(self) -> None:
        self._flows: dict[str, ProviderFlow] = {}
        self._proofs: dict[str, ProviderProof] = {}

    async def add_flow(self, flow: ProviderFlow) -> None:
        """Store a browser that was sent to a provider."""
        self._flows[flow.state_hash] = flow

    async def take_flow(self, state_hash: str) -> ProviderFlow | None:
        """Remove and return one."""
        return self._flows.pop(state_hash, None)

    async def add_proof(self, proof: ProviderProof) -> None:
        """Store a proven identity."""
        self._proofs[proof.code_hash] = proof

    async def take_proof(self, code_hash: str) -> ProviderProof | None:
        """Remove and return one."""
        return self._proofs.pop(code_hash, None)
