"""Setting up and removing one's second factors (MF-4 to MF-6)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from libs.chassis.audit import AuditEntry, AuditTrail
from libs.events import EventBus, Transaction, WriteConflictError
from libs.kernel import Clock, SessionId, UserId
from services.auth.domain import (
    RevokeReason,
    SecondFactors,
    Session,
    User,
)
from services.auth.domain.errors import (
    SecondFactorEnforcedError,
    SecondFactorInvalidError,
    SecondFactorMissingError,
    UserMissingError,
)
from services.auth.ports import SecondFactorRepository, UserRepository
from services.auth.service.recovery_codes import hash_recovery_code, new_recovery_codes
from services.auth.service.second_factor_notice import FactorChange, SecondFactorNotice
from services.auth.service.second_factor_policies import SecondFactorPolicies
from services.auth.service.sessions import SessionControl
from services.auth.service.step_up import StepUp
from services.auth.service.totp import matching_step, new_totp_secret, totp_uri

T = TypeVar("T")


@dataclass(frozen=True)
class TotpOffer:
    """A new seed for an authenticator app, shown this once (MF-4)."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)


@dataclass(frozen=True)
class FactorOverview:
    """What a user has set up; no secret among it."""

    factors: SecondFactors
    is_enforced: bool


@dataclass(frozen=True)
class SecondFactorSettings:
    """Use cases of a user's own second factors; each change needs a fresh proof."""

    bus: EventBus
    users: UserRepository
    factors: SecondFactorRepository
    step_up: StepUp
    control: SessionControl
    policy: SecondFactorPolicies
    notice: SecondFactorNotice
    audit: AuditTrail
    clock: Clock
    issuer: str

    async def overview(self, user_id: UserId) -> FactorOverview:
        """Return what the caller has set up."""
        user = await self._user(user_id, None)
        own = await self.factors.get(user_id, None)
        return FactorOverview(own, await self.policy.requires(user))

    async def offer_totp(self, user_id: UserId, session_id: SessionId) -> TotpOffer:
        """Make a seed that is in use once a code of it was shown.

        Raises:
            StepUpRequiredError: The caller's last proof is too old (MF-6).
        """
        await self.step_up.require(user_id, session_id)
        return await self.bus.run_transaction(
            lambda transaction: self.offer_totp_in(transaction, user_id)
        )

    async def offer_totp_in(self, tx: Transaction, user_id: UserId) -> TotpOffer:
        """Make a seed in a running transaction; the caller has been checked."""
        user = await self._user(user_id, tx.session)
        own = await self.factors.get(user_id, tx.session)
        secret = new_totp_secret()
        await self._save(own.with_candidate(secret, self.clock.now()), tx)
        uri = totp_uri(secret, account=user.email.written, issuer=self.issuer)
        return TotpOffer(secret, uri)

    async def confirm_totp(
        self, user_id: UserId, session_id: SessionId, code: str
    ) -> tuple[str, ...]:
        """Put the offered seed to use; every other session of the user ends.

        Returns:
            New recovery codes, shown this once; none where there are some already.

        Raises:
            StepUpRequiredError: The caller's last proof is too old (MF-6).
            SecondFactorInvalidError: Not a code of a seed offered 15 minutes ago.

        Emits: account.mfa_changed, session.revoked.
        """

        async def confirm(tx: Transaction) -> tuple[tuple[str, ...], list[Session]]:
            await self.step_up.require(user_id, session_id, tx.session)
            codes = await self.confirm_totp_in(tx, user_id, code)
            return codes, await self.end_others_in(tx, user_id, session_id)

        codes, ended = await self.bus.run_transaction(confirm)
        await self.control.announce(ended)
        return codes

    async def confirm_totp_in(
        self, tx: Transaction, user_id: UserId, code: str
    ) -> tuple[str, ...]:
        """Put the offered seed to use in a running transaction; see `confirm_totp`."""
        own, now = await self.factors.get(user_id, tx.session), self.clock.now()
        offered = own.totp_candidate
        if offered is None or offered.is_stale(now):
            raise SecondFactorInvalidError
        step = matching_step(offered, code, now)
        if step is None:
            raise SecondFactorInvalidError
        codes = () if own.recovery_hashes else new_recovery_codes()
        await self._save(own.with_totp(step, map(hash_recovery_code, codes)), tx)
        await self.record_in(tx, user_id, "totp.enrolled", FactorChange.ADDED)
        return codes

    async def remove_totp(self, user_id: UserId, session_id: SessionId) -> None:
        """Stop using the app; every other session of the user ends.

        Raises:
            StepUpRequiredError: The caller's last proof is too old (MF-6).
            SecondFactorMissingError: There is none.
            SecondFactorEnforcedError: It is the last and one is required.

        Emits: account.mfa_changed, session.revoked.
        """

        def removed(own: SecondFactors) -> SecondFactors:
            if own.totp is None:
                raise SecondFactorMissingError
            return own.without_totp()

        await self.remove(user_id, session_id, removed, "totp.removed")

    async def renew_recovery_codes(
        self, user_id: UserId, session_id: SessionId
    ) -> tuple[str, ...]:
        """Return ten new codes, shown this once; the old ones are void (MF-5).

        Raises:
            StepUpRequiredError: The caller's last proof is too old (MF-6).
            SecondFactorMissingError: There is no factor that they could stand in for.

        Emits: account.mfa_changed.
        """

        async def renew(tx: Transaction) -> tuple[str, ...]:
            await self.step_up.require(user_id, session_id, tx.session)
            own = await self.factors.get(user_id, tx.session)
            if not own.is_enrolled:
                raise SecondFactorMissingError
            codes = new_recovery_codes()
            hashes = map(hash_recovery_code, codes)
            await self._save(own.with_recovery_codes(hashes), tx)
            change = FactorChange.RECOVERY_RENEWED
            await self.record_in(tx, user_id, "recovery_codes.renewed", change)
            return codes

        return await self.bus.run_transaction(renew)

    async def record_in(
        self, tx: Transaction, user_id: UserId, action: str, change: FactorChange
    ) -> None:
        """Audit a change of factors and have its mail sent, in its transaction.

        The account is pinned, as by sign-ins: no session that the factors of before
        let in begins beside the change (MF-3, SR-1), and a proof that the transaction
        has asked for is not that of a session that ends beside it.
        """
        user = await self.users.pin(user_id, tx.session)
        if user is None or not user.may_sign_in:
            raise UserMissingError
        self.notice.tell_in(tx, user, change)
        entry = AuditEntry(action=action, actor_id=user_id)
        await self.audit.record(entry, tx.session)

    async def remove(
        self,
        user_id: UserId,
        session_id: SessionId,
        removed: Callable[[SecondFactors], SecondFactors],
        action: str,
        check: Callable[[Transaction, SecondFactors], Awaitable[None]] | None = None,
    ) -> None:
        """Take a factor away as `removed` says; see `remove_totp`.

        Args:
            user_id: The caller.
            session_id: Stays, the others end.
            removed: Returns what is left.
            action: As the audit names it.
            check: Raises where this must not be all that is left.
        """

        async def remove(tx: Transaction) -> list[Session]:
            await self.step_up.require(user_id, session_id, tx.session)
            user = await self._user(user_id, tx.session)
            left = removed(await self.factors.get(user_id, tx.session))
            is_bound = await self.policy.requires(user, tx.session)
            if is_bound and not left.is_enrolled:
                raise SecondFactorEnforcedError
            if check is not None:
                await check(tx, left)
            await self._save(left, tx)
            await self.record_in(tx, user_id, action, FactorChange.REMOVED)
            return await self.end_others_in(tx, user_id, session_id)

        await self.control.announce(await self.bus.run_transaction(remove))

    async def end_others_in(
        self, tx: Transaction, user_id: UserId, session_id: SessionId
    ) -> list[Session]:
        """End the user's sessions but one, as after any change of factors (SR-1)."""
        reason = RevokeReason.MFA_CHANGED
        return await self.control.end_others_in(tx, user_id, session_id, reason)

    async def _save(self, changed: SecondFactors, tx: Transaction) -> None:
        if not await self.factors.save(changed, tx.session):
            raise WriteConflictError

    async def _user(self, user_id: UserId, session: object) -> User:
        user = await self.users.get(user_id, session)
        if user is None or not user.may_sign_in:
            raise UserMissingError
        return user
