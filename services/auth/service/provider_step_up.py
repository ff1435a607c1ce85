"""Proving oneself again at a provider (MF-6)."""

from dataclasses import dataclass

from libs.events import Transaction
from libs.kernel import SessionId, UserId
from services.auth.domain import (
    AuthMethod,
    FlowPurpose,
    Guess,
    GuessPurpose,
    ProofHolder,
)
from services.auth.domain.errors import IdentityNotLinkedError
from services.auth.ports import ProviderLinkRepository
from services.auth.service.provider_journey import ProviderJourney
from services.auth.service.reauthentication import Reauthentication
from services.auth.service.signed_in import SignedIn


@dataclass(frozen=True)
class ProviderStepUp:
    """The use case of who signs in with a provider and has no second factor."""

    journey: ProviderJourney
    links: ProviderLinkRepository
    reauthentication: Reauthentication

    async def prove(
        self,
        user_id: UserId,
        session_id: SessionId,
        code: str,
        holder: ProofHolder,
        *,
        client_address: str,
    ) -> SignedIn:
        """Renew the session by a one-time code of a flow that was begun for it.

        The provider has asked its user anew, and says when (``auth_time``).

        Raises:
            SecondFactorNeededError: The caller has one: a provider's word is a first.
            ProviderSignInInvalidError: The code is not the caller's.
            IdentityNotLinkedError: The identity is not linked to the caller's account.
            AttemptsThrottledError: Too many codes were tried.
            SessionMissingError: The session is over.

        Emits: session.revoked, session.started.
        """
        await self.reauthentication.require_first(user_id, session_id)
        guess = Guess(GuessPurpose.PROVIDER_LINK, user_id, client_address)
        identity = await self.journey.redeem(code, FlowPurpose.STEP_UP, holder, guess)

        async def check(transaction: Transaction) -> None:
            owner = await self.links.find(
                identity.issuer, identity.subject, transaction.session
            )
            if owner != user_id:
                raise IdentityNotLinkedError

        return await self.reauthentication.renew_by(
            user_id, session_id, AuthMethod.PROVIDER, check
        )
