"""The identities that may sign in to one's account."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from libs.chassis.audit import AuditEntry, AuditTrail
from libs.events import EventBus, Transaction
from libs.events.catalog import AccountIdentityChanged
from libs.kernel import Clock, SessionId, UserId
from services.auth.domain import (
    FlowPurpose,
    Guess,
    GuessPurpose,
    ProofHolder,
    ProviderIdentity,
    ProviderLink,
    RevokeReason,
    Session,
)
from services.auth.domain.errors import (
    IdentityMissingError,
    IdentityUnverifiedError,
    UserMissingError,
)
from services.auth.ports import (
    ProviderLinkRepository,
    SecondFactorRepository,
    UserRepository,
)
from services.auth.service.notices import AccountNotices
from services.auth.service.provider_accounts import linked_entry
from services.auth.service.provider_journey import ProviderJourney
from services.auth.service.sessions import SessionControl
from services.auth.service.step_up import StepUp
from services.auth.service.ways_in import WaysIn


@dataclass(frozen=True)
class ProviderLinks:
    """Use cases of linking and unlinking; each needs a fresh proof (MF-6)."""

    bus: EventBus
    journey: ProviderJourney
    users: UserRepository
    links: ProviderLinkRepository
    factors: SecondFactorRepository
    ways_in: WaysIn
    step_up: StepUp
    control: SessionControl
    notices: AccountNotices
    audit: AuditTrail
    clock: Clock

    async def list_own(self, user_id: UserId) -> Mapping[str, datetime]:
        """Return the ids of the caller's providers, and since when."""
        return await self.links.providers_of(user_id, None)

    async def link(
        self,
        user_id: UserId,
        session_id: SessionId,
        code: str,
        holder: ProofHolder,
        source: str,
    ) -> str:
        """Let an identity sign in to the caller's account; return its provider.

        Raises:
            StepUpRequiredError: The caller's proof is older than five minutes.
            ProviderSignInInvalidError: The code is not the caller's.
            AttemptsThrottledError: Too many codes were tried.
            IdentityUnverifiedError: The provider did not check the address.
            IdentityTakenError: It is linked, or the caller has one at this provider.

        Emits: account.identity_changed.
        """
        await self.step_up.require(user_id, session_id)
        guess = Guess(GuessPurpose.PROVIDER_LINK, user_id, source)
        identity = await self.journey.redeem(code, FlowPurpose.LINK, holder, guess)
        if not identity.is_email_verified:
            raise IdentityUnverifiedError
        link = self._link(user_id, identity)

        async def store(transaction: Transaction) -> None:
            await self.step_up.require(user_id, session_id, transaction.session)
            # Pinned: who is shut out meanwhile links nothing any more.
            await self.users.pin(user_id, transaction.session)
            await self.links.add(link, transaction.session)
            entry = linked_entry(user_id, identity.provider_id, source)
            await self.audit.record(entry, transaction.session)
            await self._tell(transaction, user_id, identity.provider_id, "linked")

        await self.bus.run_transaction(store)
        return identity.provider_id

    async def unlink(
        self, user_id: UserId, session_id: SessionId, provider_id: str, source: str
    ) -> None:
        """Take an identity's way in away; sessions that came by it end, not this one.

        Raises:
            StepUpRequiredError: The caller's proof is older than five minutes.
            IdentityMissingError: The caller has none of this provider.
            LastWayInError: There is no password, no other identity and no passkey that
                signs in alone.

        Emits: account.identity_changed, session.revoked.
        """

        async def store(transaction: Transaction) -> list[Session]:
            session = transaction.session
            # Pinned, as by sign-ins: none begins beside this, and of two ways in that
            # are taken away at once one stays.
            await self.users.pin(user_id, session)
            await self.step_up.require(user_id, session_id, session)
            own = await self.links.providers_of(user_id, session)
            if provider_id not in own:
                raise IdentityMissingError
            factors = await self.factors.get(user_id, session)
            await self.ways_in.check_left(factors, len(own) - 1, session)
            await self.links.remove(user_id, provider_id, session)
            entry = AuditEntry(
                action="identity.unlinked",
                actor_id=user_id,
                source=source,
                details={"provider": provider_id},
            )
            await self.audit.record(entry, session)
            await self._tell(transaction, user_id, provider_id, "unlinked")
            return await self._end_in(transaction, user_id, session_id, provider_id)

        await self.control.announce(await self.bus.run_transaction(store))

    async def _end_in(
        self,
        transaction: Transaction,
        user_id: UserId,
        kept: SessionId,
        provider_id: str,
    ) -> list[Session]:
        live = await self.control.sessions.oldest_live(
            user_id, at=self.clock.now(), keep=0, session=transaction.session
        )
        ended = []
        for session in live:
            if session.provider_id == provider_id and session.session_id != kept:
                ended += await self.control.end_in(
                    transaction, session, RevokeReason.REVOKED
                )
        return ended

    async def _tell(
        self, transaction: Transaction, user_id: UserId, provider_id: str, change: str
    ) -> None:
        user = await self.users.get(user_id, transaction.session)
        if user is None or not user.may_sign_in:
            raise UserMissingError
        names = {one.provider_id: one.name for one in self.journey.providers}
        self.notices.tell(
            transaction,
            AccountIdentityChanged,
            user,
            {"email": user.email.written},
            change=change,
            provider=names.get(provider_id, provider_id),
        )

    def _link(self, user_id: UserId, identity: ProviderIdentity) -> ProviderLink:
        return ProviderLink(
            user_id=user_id,
            provider_id=identity.provider_id,
            issuer=identity.issuer,
            subject=identity.subject,
            linked_at=self.clock.now(),
        )
