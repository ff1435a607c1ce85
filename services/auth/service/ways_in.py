"""What somebody can begin a sign-in with; one such thing always stays."""

from dataclasses import dataclass

from services.auth.domain import SecondFactors
from services.auth.domain.errors import LastWayInError
from services.auth.ports import (
    CredentialRepository,
    DatabaseSession,
    ProviderLinkRepository,
)


@dataclass(frozen=True)
class WaysIn:
    """Guards the last way in, whatever is taken away."""

    credentials: CredentialRepository
    links: ProviderLinkRepository

    async def check_left(
        self, left: SecondFactors, providers: int, session: DatabaseSession
    ) -> None:
        """Accept what would be left of a user's ways in.

        A password that was voided counts: a link by mail leads to a new one.

        Args:
            left: The user's factors then; a passkey that opens alone is a way in.
            providers: How many identities would be linked.
            session: Of the transaction that takes something away and pins the user.

        Raises:
            LastWayInError: It is nothing.
        """
        if providers or left.opens_alone:
            return
        if not await self.credentials.is_kept(left.user_id, session):
            raise LastWayInError
