"""Stores of links that work once and of invitations."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from libs.kernel import UserId
from services.auth.domain import (
    EmailAddress,
    Invite,
    LinkPurpose,
    OneTimeLink,
)
from services.auth.ports.database import DatabaseSession


class LinkRepository(Protocol):
    """Links that wait to be followed, by the hash of their token."""

    async def add(self, link: OneTimeLink, session: DatabaseSession) -> None:
        """Store a link."""
        ...

    async def take(
        self, token_hash: str, purpose: LinkPurpose, session: DatabaseSession
    ) -> OneTimeLink | None:
        """Remove and return a link; of several callers one gets it (PW-8)."""
        ...

    async def get(self, token_hash: str, purpose: LinkPurpose) -> OneTimeLink | None:
        """Return a link that waits, expired or not."""
        ...

    async def remove_later(
        self,
        subject_id: str,
        purpose: LinkPurpose,
        expires_at: datetime,
        session: DatabaseSession,
    ) -> None:
        """Void a subject's links of a purpose that expire after a moment."""
        ...

    async def remove_all(
        self,
        subject_id: str,
        session: DatabaseSession,
        *,
        kept: LinkPurpose | None = None,
    ) -> None:
        """Void every other link of a user, or of an invitation.

        Args:
            subject_id: Whose.
            session: Of the transaction that changes what they were sent for.
            kept: Links of this purpose stay.
        """
        ...


class InviteRepository(Protocol):
    """Invitations that wait; the mail address is sealed at rest."""

    async def add(self, invite: Invite, session: DatabaseSession) -> None:
        """Store an invitation."""
        ...

    async def get(self, invite_id: str, session: DatabaseSession) -> Invite | None:
        """Return an invitation, also one that has expired."""
        ...

    async def remove(self, invite_id: str, session: DatabaseSession) -> bool:
        """Remove an invitation; False if it was gone."""
        ...

    async def remove_of(
        self, inviter_id: UserId, session: DatabaseSession
    ) -> Sequence[str]:
        """Remove all invitations of somebody, expired or not; return their ids."""
        ...

    async def remove_to(
        self, email: EmailAddress, session: DatabaseSession
    ) -> Sequence[str]:
        """Remove all invitations to an address, expired or not; return their ids."""
        ...

    async def list_waiting(
        self, *, inviter_id: UserId | None, at: datetime, after: str | None, limit: int
    ) -> Sequence[Invite]:
        """Return invitations that have not expired, in the order of their ids.

        Args:
            inviter_id: Whose; None for everybody's.
            at: Now.
            after: Id of the last invitation of the page before.
            limit: At most this many.
        """
        ...
