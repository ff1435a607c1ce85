"""The one way to a session, whatever proved who somebody is.

Password, provider and passkey all end here: what every way in has to pass (a second
factor, the limit of sessions, the audit) stands in one place (MF-3).
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

import structlog

from libs.chassis.audit import AuditEntry, AuditTrail
from libs.events import EventBus, Transaction
from libs.events.catalog import SessionStarted
from libs.kernel import Clock, SessionId, UserId, new_id
from services.auth.domain import (
    SESSION_ABSOLUTE,
    SESSIONS_PER_USER_MAX,
    AuthMethod,
    ClientDevice,
    RevokeReason,
    Session,
    User,
    clean_device_name,
)
from services.auth.domain.errors import CredentialsInvalidError
from services.auth.ports import SessionRepository, UserRepository
from services.auth.service.deletion_cancel import DeletionCancel
from services.auth.service.second_factor_gate import (
    SecondFactorGate,
    SecondFactorRequired,
)
from services.auth.service.sessions import SessionControl
from services.auth.service.signed_in import SignedIn
from services.auth.service.tokens import AccessTokens, RefreshTokens

_log = structlog.get_logger(__name__)

Entered: TypeAlias = SignedIn | SecondFactorRequired
"""What comes of a sign-in; the API turns either into its answer."""

Check: TypeAlias = Callable[[Transaction], Awaitable[None]]
"""Raises where a proof is worth nothing any more."""


@dataclass(frozen=True)
class Started:
    """A session that began in a transaction, and those that it crowded out."""

    signed_in: SignedIn
    ended: list[Session]


@dataclass(frozen=True)
class Entrance:
    """Starts sessions of people who proved who they are."""

    bus: EventBus
    users: UserRepository
    sessions: SessionRepository
    control: SessionControl
    access: AccessTokens
    refresh_tokens: RefreshTokens
    audit: AuditTrail
    gate: SecondFactorGate
    cancelling: DeletionCancel
    clock: Clock

    async def enter(
        self,
        user: User,
        device: ClientDevice,
        methods: tuple[AuthMethod, ...],
        check: Check | None = None,
        *,
        is_weak: bool = False,
    ) -> Entered:
        """Start a session, or say which factor is missing for one.

        Args:
            user: May sign in; the caller has checked it.
            device: Where the sign-in comes from.
            methods: How the user proved who they are, just now.
            check: Runs in the transaction of the sign-in, more than once if need be;
                raises where the proof is worth nothing any more.
            is_weak: Whether what was proved is not enough alone, whatever the policy.

        Returns:
            Tokens, or a sign-in that waits for a second factor.

        Raises:
            CredentialsInvalidError: The account stopped being active meanwhile.

        Emits: session.started; session.revoked for the oldest beyond 20;
            account.deletion_cancelled where the owner comes back in time.
        """

        async def begin(transaction: Transaction) -> Started | SecondFactorRequired:
            if check is not None:
                await check(transaction)
            required = await self.gate.hold(
                user, device, methods, transaction.session, is_weak=is_weak
            )
            if required is not None:
                return required
            return await self.start_in(transaction, user, device, methods)

        begun = await self.bus.run_transaction(begin)
        if isinstance(begun, Started):
            return await self.announce(begun)
        _log.info("second_factor_asked", user_id=user.user_id)
        return begun

    async def start_in(
        self,
        transaction: Transaction,
        user: User,
        device: ClientDevice,
        methods: tuple[AuthMethod, ...],
    ) -> Started:
        """Start a session in a running transaction, for who proved enough.

        Returns:
            What goes to `announce` after the commit.

        Raises:
            CredentialsInvalidError: The account stopped being active meanwhile.
        """
        return await self._begin_in(transaction, user, device, methods)

    async def renew_in(
        self, transaction: Transaction, user: User, old: Session, method: AuthMethod
    ) -> Started:
        """Put a new session in the place of one whose owner proved themselves again.

        It ends when the old one would have: a proof lengthens nothing (RT-4).

        Emits: session.revoked for the old one, session.started.
        """
        ended = await self.control.end_in(transaction, old, RevokeReason.STEPPED_UP)
        device = ClientDevice(
            old.device_name,
            old.client_address,
            old.is_cookie,
            old.provider_id,
            old.provider_session_hash,
        )
        methods = tuple(dict.fromkeys((*old.methods, method)))
        started = await self._begin_in(
            transaction, user, device, methods, expires_at=old.expires_at
        )
        return replace(started, ended=started.ended + ended)

    async def _begin_in(
        self,
        transaction: Transaction,
        user: User,
        device: ClientDevice,
        methods: tuple[AuthMethod, ...],
        *,
        expires_at: datetime | None = None,
    ) -> Started:
        now = self.clock.now()
        session_id = SessionId(new_id())
        token = self.refresh_tokens.root(session_id)
        started = Session(
            session_id=session_id,
            user_id=user.user_id,
            device_name=clean_device_name(device.name),
            created_at=now,
            last_used_at=now,
            expires_at=expires_at or now + SESSION_ABSOLUTE,
            token_hash=token.hash,
            token_key_id=token.key_id,
            is_cookie=device.has_cookie,
            client_address=device.address,
            authenticated_at=now,
            methods=methods,
            provider_id=device.provider_id,
            provider_session_hash=device.provider_session_hash,
        )

        # Pinned: no session begins beside the transaction that suspends the account.
        current = await self.users.pin(user.user_id, transaction.session)
        if current is None or not current.may_have_sessions:
            raise CredentialsInvalidError
        current = await self.cancelling.by_sign_in(transaction, current, device)
        crowded_out = await self._store(started, transaction)
        signed_in = SignedIn.issue(self.access, current, started, token)
        return Started(signed_in, crowded_out)

    async def announce(self, started: Started) -> SignedIn:
        """Tell everyone what a sign-in ended, and return its tokens."""
        await self.control.announce(started.ended)
        signed_in = started.signed_in
        _log.info(
            "signed_in", user_id=signed_in.user_id, session_id=signed_in.session_id
        )
        return signed_in

    async def _store(self, started: Session, transaction: Transaction) -> list[Session]:
        crowded_out = await self._crowded_out(started.user_id, transaction)
        await self.sessions.add(started, transaction.session)
        transaction.publish(
            SessionStarted(
                user_id=started.user_id,
                session_id=started.session_id,
                device_name=started.device_name,
            )
        )
        entry = AuditEntry(
            action="session.started",
            actor_id=started.user_id,
            target_id=started.session_id,
            source=started.client_address,
            details={"methods": " ".join(started.methods)},
        )
        await self.audit.record(entry, transaction.session)
        return crowded_out

    async def _crowded_out(
        self, user_id: UserId, transaction: Transaction
    ) -> list[Session]:
        surplus = await self.sessions.oldest_live(
            user_id,
            at=self.clock.now(),
            keep=SESSIONS_PER_USER_MAX - 1,
            session=transaction.session,
        )
        ended = []
        for session in surplus:
            ended += await self.control.end_in(
                transaction, session, RevokeReason.REVOKED
            )
        return ended
