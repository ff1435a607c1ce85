"""Links and invitations in memory, for tests."""
# ruff: noqa: ARG002 - the ports pass a database session, memory has none

from collections.abc import Sequence
from datetime import datetime

from libs.kernel import UserId
from services.auth.domain import (
    EmailAddress,
    Invite,
    LinkPurpose,
    OneTimeLink,
)
from services.auth.ports import DatabaseSession


class MemoryLinkRepository:
    """Links in a dictionary."""

    def __init__(self) -> None:
        self._links: dict[str, OneTimeLink] = {}

    async def add(self, link: OneTimeLink, session: DatabaseSession) -> None:
        """Store a link."""
        self._links[link.token_hash] = link

    async def take(
        self, token_hash: str, purpose: LinkPurpose, session: DatabaseSession
    ) -> OneTimeLink | None:
        """Remove and return a link; one caller gets it."""
        found = self._links.get(token_hash)
        if found is None or found.purpose is not purpose:
            return None
        return self._links.pop(token_hash)

    async def get(self, token_hash: str, purpose: LinkPurpose) -> OneTimeLink | None:
        """Return a link that waits; see `LinkRepository.get`."""
        found = self._links.get(token_hash)
        return found if found and found.purpose is purpose else None

    async def remove_later(
        self,
        subject_id: str,
        purpose: LinkPurpose,
        expires_at: datetime,
        session: DatabaseSession,
    ) -> None:
        """Void later ones; see `LinkRepository.remove_later`."""
        self._links = {
            key: link
            for key, link in self._links.items()
            if (link.subject_id, link.purpose) != (subject_id, purpose)
            or link.expires_at <= expires_at
        }

    async def remove_all(
        self,
        subject_id: str,
        session: DatabaseSession,
        *,
        kept: LinkPurpose | None = None,
    ) -> None:
        """Void every other link; see `LinkRepository.remove_all`."""
        self._links = {
            key: link
            for key, link in self._links.items()
            if link.subject_id != subject_id or link.purpose is kept
        }


class MemoryInviteRepository:
    """Invitations in a dictionary."""

    def __init__(self) -> None:
        self._invites: dict[str, Invite] = {}

    async def add(self, invite: Invite, session: DatabaseSession) -> None:
        """Store an invitation."""
        self._invites[invite.invite_id] = invite

    async def get(self, invite_id: str, session: DatabaseSession) -> Invite | None:
        """Return an invitation, also one that has expired."""
        return self._invites.get(invite_id)

    async def remove(self, invite_id: str, session: DatabaseSession) -> bool:
        """Remove an invitation; False if it was gone."""
        return self._invites.pop(invite_id, None) is not None

    async def remove_of(
        self, inviter_id: UserId, session: DatabaseSession
    ) -> Sequence[str]:
        """Remove all invitations of somebody; return their ids."""
        ids = [
            key for key, one in self._invites.items() if one.inviter_id == inviter_id
        ]
        for invite_id in ids:
            del self._invites[invite_id]
        return ids

    async def remove_to(
        self, email: EmailAddress, session: DatabaseSession
    ) -> Sequence[str]:
        """Remove all invitations to an address; return their ids."""
        ids = [key for key, one in self._invites.items() if one.email.key == email.key]
        for invite_id in ids:
            del self._invites[invite_id]
        return ids

    async def list_waiting(
        self, *, inviter_id: UserId | None, at: datetime, after: str | None, limit: int
    ) -> Sequence[Invite]:
        """Return invitations that have not expired, in the order of their ids."""
        found = [
            invite
            for invite in sorted(self._invites.values(), key=lambda one: one.invite_id)
            if invite.expires_at > at
            and inviter_id in (None, invite.inviter_id)
            and invite.invite_id > (after or "")
        ]
        return found[:limit]
