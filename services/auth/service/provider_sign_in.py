"""Signing in with a proven identity."""

from dataclasses import dataclass, replace

from libs.events import Transaction
from services.auth.domain import (
    AuthMethod,
    ClientDevice,
    FlowPurpose,
    Guess,
    GuessPurpose,
    ProofHolder,
)
from services.auth.service.entrance import Entered, Entrance
from services.auth.service.provider_accounts import ProviderAccounts
from services.auth.service.provider_journey import ProviderJourney


@dataclass(frozen=True)
class ProviderSignIn:
    """The use case that turns a provider's word into a session."""

    journey: ProviderJourney
    accounts: ProviderAccounts
    entrance: Entrance

    async def sign_in(
        self, code: str, holder: ProofHolder, device: ClientDevice
    ) -> Entered:
        """Redeem a one-time code and start a session, or ask for a second factor.

        The provider's word is one factor, whatever the provider itself asked for.

        Raises:
            ProviderSignInInvalidError: The code is not the caller's.
            AttemptsThrottledError: Too many codes were tried from there.
            IdentityNotLinkedError: There is no account to sign in to.

        Emits: session.started; user.created, user.verified for a new account.
        """
        guess = Guess.of_bearer(GuessPurpose.PROVIDER_LINK, device.address)
        identity = await self.journey.redeem(code, FlowPurpose.SIGN_IN, holder, guess)
        user = await self.accounts.user_of(identity, device.address)
        origin = replace(
            device,
            provider_id=identity.provider_id,
            provider_session_hash=identity.session_hash,
        )

        async def check(transaction: Transaction) -> None:
            await self.accounts.check(identity, user, transaction)

        return await self.entrance.enter(user, origin, (AuthMethod.PROVIDER,), check)
