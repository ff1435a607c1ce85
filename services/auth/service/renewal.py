"""Staying signed in by refresh tokens that rotate (RT-1 to RT-4)."""

from dataclasses import dataclass

import structlog

from libs.chassis.audit import AuditEntry
from libs.events import EventBus, Transaction, WriteConflictError
from libs.events.catalog import AccountSessionReused, SessionReused
from libs.kernel import Clock
from services.auth.domain import (
    Guess,
    GuessPurpose,
    RevokeReason,
    Session,
    TokenFit,
    User,
    proves_two_factors,
)
from services.auth.domain.errors import (
    RefreshTokenInvalidError,
    SecondFactorRequiredError,
)
from services.auth.ports import GuessThrottle, SessionRepository, UserRepository
from services.auth.service.guesses import counted
from services.auth.service.notices import AccountNotices
from services.auth.service.second_factor_policies import SecondFactorPolicies
from services.auth.service.sessions import SessionControl
from services.auth.service.signed_in import SignedIn
from services.auth.service.tokens import AccessTokens, RefreshToken, RefreshTokens

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class SessionRenewal:
    """Use cases that a refresh token opens."""

    bus: EventBus
    users: UserRepository
    sessions: SessionRepository
    control: SessionControl
    access: AccessTokens
    refresh_tokens: RefreshTokens
    policy: SecondFactorPolicies
    throttle: GuessThrottle
    notices: AccountNotices
    clock: Clock

    async def refresh(self, token_text: str, address: str = "") -> SignedIn:
        """Spend a refresh token for its child and a new access token.

        The same token again within 10 seconds returns the same child (RT-2); a
        spent one after that ends the whole family (RT-1).

        Args:
            token_text: As the client sent it.
            address: The client's, for the list of sessions; empty if not known.

        Raises:
            RefreshTokenInvalidError: Invented, spent, or the session is over.
            SecondFactorRequiredError: The session began with one factor, and two are
                required by now.
            AttemptsThrottledError: Too many invented ones from one network (LT-5).

        Emits: session.reused, session.revoked and account.session_reused on replay.
        """
        token = await self._parse(token_text, address)

        async def spend(transaction: Transaction) -> SignedIn | Session:
            return await self._spend(token, address, transaction)

        outcome = await self.bus.run_transaction(spend)
        if isinstance(outcome, SignedIn):
            return outcome
        _log.warning(
            "refresh_token_reused",
            user_id=outcome.user_id,
            session_id=outcome.session_id,
        )
        await self.control.announce([outcome])
        raise RefreshTokenInvalidError

    async def logout(self, token_text: str) -> None:
        """End the session of a refresh token; nothing happens if it has ended.

        Any genuine token of the family will do: ending a session is harmless.

        Raises:
            RefreshTokenInvalidError: It was invented.

        Emits: session.revoked.
        """
        token = self.refresh_tokens.parse(token_text)
        session = await self.sessions.get(token.session_id, None)
        if session is not None:
            await self.control.end(session, RevokeReason.LOGOUT)

    async def _parse(self, token_text: str, address: str) -> RefreshToken:
        """Read a token; only invented ones are counted, so nobody is locked out."""
        try:
            return self.refresh_tokens.parse(token_text)
        except RefreshTokenInvalidError as error:
            guess = Guess.of_bearer(GuessPurpose.REFRESH, address)
            async with counted(self.throttle, guess, wrong=RefreshTokenInvalidError):
                raise RefreshTokenInvalidError from error

    async def _spend(
        self, token: RefreshToken, address: str, transaction: Transaction
    ) -> SignedIn | Session:
        """Return new tokens, or the session that a replay has ended."""
        now = self.clock.now()
        session = await self.sessions.get(token.session_id, transaction.session)
        if session is None or not session.is_live(now):
            raise RefreshTokenInvalidError
        user = await self.users.get(session.user_id, transaction.session)
        if user is None or not user.may_sign_in:
            raise RefreshTokenInvalidError
        fit = session.fit_of(token.hash, now)
        if fit is TokenFit.SPENT:
            return await self._end_family(user, session, transaction)
        await self._check_factors(user, session, transaction)
        if fit is TokenFit.PARENT_IN_GRACE:
            child = self.refresh_tokens.child(token, session.token_key_id)
            return SignedIn.issue(self.access, user, session, child)
        child = self.refresh_tokens.child(token, self.refresh_tokens.current_key_id)
        rotated = session.rotated(child.hash, child.key_id, now, address)
        if not await self.sessions.rotate(rotated, transaction.session):
            # A parallel refresh was first: run again, as its token's parent.
            raise WriteConflictError
        if rotated.client_address != session.client_address:
            await self._record(rotated, "session.moved", transaction)
        return SignedIn.issue(self.access, user, rotated, child)

    async def _check_factors(
        self, user: User, session: Session, transaction: Transaction
    ) -> None:
        """Refuse a session from before a second factor was required (MF-3).

        It does not end: a refresh token, which may be stolen, enrols nothing, and the
        rule may be taken back.
        """
        if proves_two_factors(session.methods):
            return
        if await self.policy.requires(user, transaction.session):
            raise SecondFactorRequiredError

    async def _record(
        self, session: Session, action: str, transaction: Transaction
    ) -> None:
        entry = AuditEntry(
            action=action,
            actor_id=session.user_id,
            target_id=session.session_id,
            source=session.client_address,
        )
        await self.control.audit.record(entry, transaction.session)

    async def _end_family(
        self, user: User, session: Session, transaction: Transaction
    ) -> Session:
        transaction.publish(
            SessionReused(user_id=session.user_id, session_id=session.session_id)
        )
        await self._record(session, "session.reused", transaction)
        self.notices.tell(
            transaction, AccountSessionReused, user, {"email": user.email.written}
        )
        await self.control.end_in(transaction, session, RevokeReason.REUSED)
        return session.revoked(RevokeReason.REUSED, self.clock.now())
