"""Checks what somebody shows as a second factor, and spends it (MF-1, MF-2, MF-5).

What is shown is spent in the very transaction that acts on it: it opens exactly one
thing, however often and however parallel it is sent.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

import structlog

from libs.chassis.audit import (
    ANONYMOUS_ACTOR,
    AuditEntry,
    AuditResult,
    AuditTrail,
)
from libs.events import EventBus, Transaction, WriteConflictError
from libs.kernel import Clock, UserId
from services.auth.domain import (
    AuthMethod,
    CeremonyPurpose,
    Guess,
    GuessPurpose,
    SecondFactors,
    User,
)
from services.auth.domain.errors import (
    PasskeyClonedError,
    SecondFactorInvalidError,
)
from services.auth.domain.guess import WRONG_TOLD
from services.auth.ports import (
    GuessThrottle,
    SecondFactorRepository,
    UserRepository,
)
from services.auth.service.ceremonies import Ceremonies
from services.auth.service.guesses import counted
from services.auth.service.passkey_verifier import Credential
from services.auth.service.recovery_codes import hash_recovery_code
from services.auth.service.second_factor_notice import FactorChange, SecondFactorNotice
from services.auth.service.totp import matching_step

T = TypeVar("T")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class TotpProof:
    """A code of an authenticator app."""

    code: str = field(repr=False)


@dataclass(frozen=True)
class RecoveryProof:
    """One of the spare codes."""

    code: str = field(repr=False)


@dataclass(frozen=True)
class PasskeyProof:
    """A signature of a passkey over a challenge.

    Attributes:
        purpose: What the challenge must have been made for.
        binding: What it must belong to; see `Ceremony.binding`.
    """

    credential: Credential = field(repr=False)
    purpose: CeremonyPurpose
    binding: str


Proof: TypeAlias = TotpProof | RecoveryProof | PasskeyProof
Act: TypeAlias = Callable[[Transaction, User, AuthMethod], Awaitable[T]]
"""What a proof opens: runs in the transaction that spends it."""


@dataclass(frozen=True)
class SecondFactorProofs:
    """The one place where second factors are checked."""

    bus: EventBus
    users: UserRepository
    factors: SecondFactorRepository
    throttle: GuessThrottle
    ceremonies: Ceremonies
    notice: SecondFactorNotice
    audit: AuditTrail
    clock: Clock

    async def prove(
        self, user_id: UserId, proof: Proof, act: Act[T], *, client_address: str
    ) -> T:
        """Spend a proof and act on it, both or neither.

        Args:
            user_id: Whose proof it must be.
            proof: As shown.
            act: May run more than once; one run counts.
            client_address: Where it comes from.

        Raises:
            SecondFactorInvalidError: It is wrong, spent, or not this user's.
            AttemptsThrottledError: Too many wrong ones; ten an hour and account.
            UnavailableError: The counter or a store does not answer.

        Emits: account.mfa_changed for a recovery code.
        """
        try:
            if isinstance(proof, PasskeyProof):
                # Nobody guesses a signature, and counting them would let a stranger
                # use up the codes of whoever they name.
                return await self._by_passkey(user_id, proof, act)
            guess = Guess(_purpose(proof), user_id, client_address)
            async with counted(
                self.throttle, guess, wrong=SecondFactorInvalidError
            ) as attempt:
                late = _late_success(user_id, proof, attempt.wrong_before)
                return await self._by_code(user_id, proof, act, late)
        except PasskeyClonedError:
            refused = _refusal(user_id, proof, "passkey_cloned", client_address)
            await self.audit.record(refused, None)
            raise SecondFactorInvalidError from None
        except SecondFactorInvalidError as error:
            _log.warning("second_factor_refused", user_id=user_id)
            actor_id = ANONYMOUS_ACTOR if _is_alone(proof) else user_id
            refused = _refusal(actor_id, proof, error.code, client_address)
            await self.audit.record(refused, None)
            raise

    async def _by_code(
        self,
        user_id: UserId,
        proof: TotpProof | RecoveryProof,
        act: Act[T],
        late: AuditEntry | None,
    ) -> T:
        async def spend(tx: Transaction) -> T:
            user, own = await self._holder(user_id, tx)
            if late is not None:
                await self.audit.record(late, tx.session)
            if isinstance(proof, TotpProof):
                await self._save(self._after_code(own, proof), tx)
                return await act(tx, user, AuthMethod.ONE_TIME_CODE)
            spent = own.after_recovery_code(hash_recovery_code(proof.code))
            await self._save(spent, tx)
            await self._tell_of_recovery(user, spent, tx)
            return await act(tx, user, AuthMethod.RECOVERY_CODE)

        return await self.bus.run_transaction(spend)

    async def _by_passkey(self, user_id: UserId, proof: PasskeyProof, act: Act[T]) -> T:
        # Spent before it is looked at: a challenge is good for one answer.
        challenge = await self.ceremonies.take(
            proof.credential, proof.purpose, proof.binding
        )

        async def spend(tx: Transaction) -> T:
            user, own = await self._holder(user_id, tx)
            passkey = own.signer(proof.credential["id"])
            is_alone = _is_alone(proof)
            sign_count = self.ceremonies.verifier.check_assertion(
                passkey, proof.credential, challenge, is_alone=is_alone
            )
            used = passkey.used(sign_count, self.clock.now(), is_alone=is_alone)
            await self._save(own.with_passkey_changed(used), tx)
            return await act(tx, user, AuthMethod.PASSKEY)

        return await self.bus.run_transaction(spend)

    async def _holder(
        self, user_id: UserId, tx: Transaction
    ) -> tuple[User, SecondFactors]:
        user = await self.users.get(user_id, tx.session)
        if user is None or not user.may_sign_in:
            raise SecondFactorInvalidError
        return user, await self.factors.get(user_id, tx.session)

    async def _save(self, spent: SecondFactors, tx: Transaction) -> None:
        if not await self.factors.save(spent, tx.session):
            raise WriteConflictError

    def _after_code(self, own: SecondFactors, proof: TotpProof) -> SecondFactors:
        if own.totp is None:
            raise SecondFactorInvalidError
        step = matching_step(own.totp, proof.code, self.clock.now())
        if step is None:
            raise SecondFactorInvalidError
        return own.after_step(step)

    async def _tell_of_recovery(
        self, user: User, spent: SecondFactors, transaction: Transaction
    ) -> None:
        self.notice.tell_in(transaction, user, FactorChange.RECOVERY_USED)
        entry = AuditEntry(
            action="recovery_code.used",
            actor_id=user.user_id,
            details={"left": len(spent.recovery_hashes)},
        )
        await self.audit.record(entry, transaction.session)


def _refusal(actor_id: str, proof: Proof, reason: str, source: str) -> AuditEntry:
    return AuditEntry(
        action="second_factor.refused",
        actor_id=actor_id,
        source=source,
        result=AuditResult.FAILURE,
        reason=reason,
        details={"factor": _factor(proof)},
    )


def _late_success(
    user_id: UserId, proof: Proof, wrong_before: int
) -> AuditEntry | None:
    """Return what is recorded of a right code after several wrong ones."""
    if wrong_before < WRONG_TOLD:
        return None
    return AuditEntry(
        action="second_factor.guessed",
        actor_id=user_id,
        details={"factor": _factor(proof), "wrong_before": wrong_before},
    )


def _factor(proof: Proof) -> str:
    return type(proof).__name__.removesuffix("Proof").lower()


def _is_alone(proof: Proof) -> bool:
    """Tell whether nothing was proved before: whoever it names may be a stranger."""
    return isinstance(proof, PasskeyProof) and proof.purpose is CeremonyPurpose.SIGN_IN


def _purpose(proof: TotpProof | RecoveryProof) -> GuessPurpose:
    if isinstance(proof, TotpProof):
        return GuessPurpose.ONE_TIME_CODE
    return GuessPurpose.RECOVERY_CODE
