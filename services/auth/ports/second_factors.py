"""Stores of second factors and of sign-ins that wait for one."""

from datetime import datetime
from typing import Protocol

from libs.kernel import UserId
from services.auth.domain import (
    Ceremony,
    PendingSignIn,
    SecondFactorPolicy,
    SecondFactors,
)
from services.auth.ports.database import DatabaseSession


class SecondFactorRepository(Protocol):
    """One aggregate a user; an app's seed is sealed at rest (MF-4)."""

    async def get(self, user_id: UserId, session: DatabaseSession) -> SecondFactors:
        """Return a user's factors; those of revision 0 where nothing is stored."""
        ...

    async def save(self, factors: SecondFactors, session: DatabaseSession) -> bool:
        """Replace the revision before this one.

        Returns:
            False if the stored revision is another: somebody was first.

        Raises:
            PasskeyKnownError: Another user has one of the passkeys.
        """
        ...

    async def remove(self, user_id: UserId, session: DatabaseSession) -> None:
        """Forget a user's factors: reset by an administrator, or erasure."""
        ...


class SecondFactorPolicyRepository(Protocol):
    """Who must have a second factor, once an administrator has said so."""

    async def get(self, session: DatabaseSession) -> SecondFactorPolicy | None:
        """Return the policy; None where none was ever stored."""
        ...

    async def put(self, policy: SecondFactorPolicy, session: DatabaseSession) -> None:
        """Store a policy in place of the one before."""
        ...


class PendingSignInRepository(Protocol):
    """Sign-ins between the factors, by the hash of their token."""

    async def add(self, pending: PendingSignIn, session: DatabaseSession) -> None:
        """Store one."""
        ...

    async def get(self, token_hash: str) -> PendingSignIn | None:
        """Return one, open or not."""
        ...

    async def count_try(self, token_hash: str, *, at: datetime) -> PendingSignIn | None:
        """Count a guess before it is looked at, in one atomic step (MF-2).

        Returns:
            The sign-in, this guess counted; None if it is not open for another.
        """
        ...

    async def take(self, token_hash: str, session: DatabaseSession) -> bool:
        """Remove one; of several callers one gets True."""
        ...

    async def remove_all(self, user_id: UserId, session: DatabaseSession) -> None:
        """Void all of a user's: the password changed, the account is suspended."""
        ...

    async def remove_of_provider(
        self,
        provider_id: str,
        session: DatabaseSession,
        *,
        session_hash: str = "",
        user_id: UserId | None = None,
    ) -> None:
        """Void those that a provider vouched for; every given criterion has to fit.

        Args:
            provider_id: Which.
            session: Of the transaction that ends the sessions.
            session_hash: Of the session there.
            user_id: Whose; None for anybody's.
        """
        ...


class CeremonyRepository(Protocol):
    """Challenges of passkeys that wait for their answer."""

    async def add(self, ceremony: Ceremony) -> None:
        """Store a challenge."""
        ...

    async def take(self, challenge_hash: str) -> Ceremony | None:
        """Remove and return a challenge; of several callers one gets it."""
        ...
