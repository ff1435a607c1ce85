"""Proving oneself again for a sensitive action (MF-6, SR-5).

The session gets a new id: what was stolen before the proof is worth nothing after it.
"""

from dataclasses import dataclass

from libs.chassis.audit import AuditEntry, AuditResult, AuditTrail
from libs.events import EventBus, Transaction
from libs.kernel import Clock, SessionId, UserId
from services.auth.domain import (
    AuthMethod,
    Guess,
    GuessPurpose,
    Session,
    User,
)
from services.auth.domain.errors import (
    CredentialsInvalidError,
    SecondFactorNeededError,
    SessionMissingError,
)
from services.auth.ports import (
    CredentialRepository,
    GuessThrottle,
    SecondFactorRepository,
    SessionRepository,
    UserRepository,
)
from services.auth.service.entrance import Check, Entrance, Started
from services.auth.service.guesses import counted
from services.auth.service.passwords import PasswordHasher
from services.auth.service.second_factor_proof import Proof, SecondFactorProofs
from services.auth.service.signed_in import SignedIn


@dataclass(frozen=True)
class Reauthentication:
    """Use cases that renew a session's proof and give it a new id."""

    bus: EventBus
    users: UserRepository
    credentials: CredentialRepository
    sessions: SessionRepository
    factors: SecondFactorRepository
    hasher: PasswordHasher
    throttle: GuessThrottle
    proofs: SecondFactorProofs
    entrance: Entrance
    audit: AuditTrail
    clock: Clock

    async def prove_password(
        self,
        user_id: UserId,
        session_id: SessionId,
        password: str,
        *,
        client_address: str,
    ) -> SignedIn:
        """Renew the session of who has no second factor.

        Raises:
            SecondFactorNeededError: The caller has one: a password alone, which a
                stolen session's thief may know too, is no step up.
            CredentialsInvalidError: It is not the caller's password.
            LoginThrottledError: Too many failures; the budget is that of sign-ins.
            SessionMissingError: The session is over.

        Emits: session.revoked, session.started.
        """
        await self.require_first(user_id, session_id)
        try:
            await self._check(user_id, password, client_address)
        except CredentialsInvalidError as refused:
            entry = AuditEntry(
                action="step_up.refused",
                actor_id=user_id,
                session_id=session_id,
                source=client_address,
                result=AuditResult.FAILURE,
                reason=refused.code,
            )
            await self.audit.record(entry, None)
            raise

        return await self.renew_by(user_id, session_id, AuthMethod.PASSWORD)

    async def require_first(self, user_id: UserId, session_id: SessionId) -> None:
        """Accept a first factor as the proof of somebody who has no second one.

        Raises:
            SecondFactorNeededError: They have.
            SessionMissingError: The session is over.
        """
        await self._session(user_id, session_id)
        if (await self.factors.get(user_id, None)).is_enrolled:
            raise SecondFactorNeededError

    async def renew_by(
        self,
        user_id: UserId,
        session_id: SessionId,
        method: AuthMethod,
        check: Check | None = None,
    ) -> SignedIn:
        """Renew the session of somebody who showed a first factor just now.

        Args:
            user_id: Who.
            session_id: Ends; it goes on under another id.
            method: What they showed.
            check: Raises where the proof is worth nothing any more.
        """

        async def renew(transaction: Transaction) -> Started:
            if check is not None:
                await check(transaction)
            user = await self.users.get(user_id, transaction.session)
            if user is None or not user.may_sign_in:
                raise CredentialsInvalidError
            return await self._renew(transaction, user, session_id, method)

        return await self.entrance.announce(await self.bus.run_transaction(renew))

    async def prove_factor(
        self,
        user_id: UserId,
        session_id: SessionId,
        proof: Proof,
        *,
        client_address: str,
    ) -> SignedIn:
        """Renew the session by a second factor.

        Raises:
            SecondFactorInvalidError: The proof is wrong or spent.
            AttemptsThrottledError: Too many wrong ones.
            SessionMissingError: The session is over.

        Emits: session.revoked, session.started.
        """
        await self._session(user_id, session_id)

        async def renew(tx: Transaction, user: User, method: AuthMethod) -> Started:
            return await self._renew(tx, user, session_id, method)

        started = await self.proofs.prove(
            user_id, proof, renew, client_address=client_address
        )
        return await self.entrance.announce(started)

    async def _renew(
        self, tx: Transaction, user: User, session_id: SessionId, method: AuthMethod
    ) -> Started:
        session = await self._session(user.user_id, session_id, tx)
        return await self.entrance.renew_in(tx, user, session, method)

    async def _check(self, user_id: UserId, password: str, address: str) -> None:
        user = await self.users.get(user_id, None)
        if user is None:
            raise CredentialsInvalidError
        guess = Guess(GuessPurpose.PASSWORD, user.email.key, address)
        async with counted(self.throttle, guess, wrong=CredentialsInvalidError):
            stored = await self.credentials.get(user_id, None)
            if not await self.hasher.verify(password, stored):
                raise CredentialsInvalidError

    async def _session(
        self, user_id: UserId, session_id: SessionId, tx: Transaction | None = None
    ) -> Session:
        found = await self.sessions.get(session_id, tx.session if tx else None)
        is_own = found is not None and found.user_id == user_id
        if found is None or not is_own or not found.is_live(self.clock.now()):
            raise SessionMissingError
        return found
