"""Seeing and ending sessions, and telling everyone that they have ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from libs.chassis.audit import AuditTrail
from libs.events import EventBus, Transaction
from libs.kernel import Clock, SessionId, UserId
from services.auth.domain import (
    RevokeReason,
    Session,
)
from services.auth.domain.errors import SessionMissingError
from services.auth.ports import RevocationAnnouncer, SessionRepository
from services.auth.service.ends import tell_end_in
from services.auth.service.token_ends import TokenEnds

REVOCATION_HORIZON = timedelta(minutes=15)
"""How far back anyone needs to ask: three times the life of an access token."""

REVOCATION_OVERLAP = timedelta(seconds=10)
"""A commit may become visible later than the time that stands in it."""

REVOCATION_PAGE = 1_000

_ENDS_TOKENS = frozenset(
    {
        RevokeReason.SUSPENDED,
        RevokeReason.ROLES_CHANGED,
        RevokeReason.PASSWORD_RESET,
        RevokeReason.PASSWORD_VOIDED,
        RevokeReason.DELETED,
    }
)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class SessionPage:
    """Sessions in the order of their ids, and whether there are more."""

    items: Sequence[Session]
    has_more: bool


@dataclass(frozen=True)
class RevocationList:
    """Sessions that ended since a moment.

    Attributes:
        as_of: Where to ask from next; overlaps with this answer on purpose.
        after: With it, where this answer was cut; None if it is whole.
    """

    revoked: Sequence[Session]
    as_of: datetime
    after: str | None


@dataclass(frozen=True)
class SessionControl:
    """Use cases of the list of one's sessions, and their end."""

    bus: EventBus
    sessions: SessionRepository
    token_ends: TokenEnds
    audit: AuditTrail
    announcer: RevocationAnnouncer
    clock: Clock

    async def list_own(
        self, user_id: UserId, *, after: str | None, limit: int
    ) -> SessionPage:
        """Return the caller's live sessions.

        Args:
            user_id: The caller.
            after: Id of the last session of the page before.
            limit: Size of a page.
        """
        found = await self.sessions.list_live(
            user_id, at=self.clock.now(), after=after, limit=limit + 1
        )
        return SessionPage(found[:limit], has_more=len(found) > limit)

    async def revoke_own(
        self, user_id: UserId, session_id: SessionId, reason: RevokeReason
    ) -> None:
        """End one of the caller's sessions; idempotent.

        Raises:
            SessionMissingError: The caller never had such a session.

        Emits: session.revoked.
        """
        session = await self.sessions.get(session_id, None)
        if session is None or session.user_id != user_id:
            raise SessionMissingError
        await self.end(session, reason)

    async def revoke_others(self, user_id: UserId, kept: SessionId) -> None:
        """End all of the caller's sessions but one; idempotent.

        Emits: session.revoked.
        """

        async def store(transaction: Transaction) -> list[Session]:
            return await self.end_others_in(
                transaction, user_id, kept, RevokeReason.REVOKED
            )

        await self.announce(await self.bus.run_transaction(store))

    async def end(self, session: Session, reason: RevokeReason) -> None:
        """End a session and tell everyone; emits session.revoked."""

        async def store(transaction: Transaction) -> list[Session]:
            return await self.end_in(transaction, session, reason)

        await self.announce(await self.bus.run_transaction(store))

    async def end_in(
        self,
        transaction: Transaction,
        session: Session,
        reason: RevokeReason,
        *,
        actor_id: str = "",
    ) -> list[Session]:
        """End a session in a running transaction; it is recorded in the audit.

        Args:
            transaction: The action's.
            session: Any.
            reason: Why.
            actor_id: Who ends it; its own user if left out.

        Returns:
            The session, to be announced after the commit; nothing if it had ended.
        """
        ended = session.revoked(reason, self.clock.now())
        if not await self.sessions.revoke(ended, transaction.session):
            return []
        await tell_end_in(
            transaction,
            self.audit,
            ended,
            reason,
            action="session.ended",
            actor_id=actor_id,
        )
        return [ended]

    async def end_others_in(
        self,
        transaction: Transaction,
        user_id: UserId,
        kept: SessionId | None,
        reason: RevokeReason,
        *,
        actor_id: str = "",
    ) -> list[Session]:
        """End a user's sessions but one, or all, in a running transaction.

        The end of an account is that of its personal tokens too (SR-6), and so is a
        password that an administrator voids or a link resets; what a user changes
        leaves them. See `end_in`.
        """
        live = await self.sessions.oldest_live(
            user_id, at=self.clock.now(), keep=0, session=transaction.session
        )
        ended = []
        for session in live:
            if session.session_id != kept:
                ended += await self.end_in(
                    transaction, session, reason, actor_id=actor_id
                )
        if reason in _ENDS_TOKENS:
            ended += await self.token_ends.end_all_in(
                transaction, user_id, reason, actor_id=actor_id
            )
        return ended

    async def announce(self, ended: Sequence[Session]) -> None:
        """Tell the listeners at once; call it after the commit."""
        if not ended:
            return
        for session in ended:
            _log.info(
                "session_revoked",
                user_id=session.user_id,
                session_id=session.session_id,
                reason=session.revoke_reason,
            )
        await self.announcer.announce(ended)

    async def revoked_since(
        self, since: datetime | None, after: str | None
    ) -> RevocationList:
        """Return what ended since a moment, for caches that must not miss one.

        Args:
            since: `as_of` of the answer before; anything older than the horizon is
                of no use, as the access tokens of that time have expired.
            after: `after` of the answer before, if it was cut.
        """
        now = self.clock.now()
        horizon = now - REVOCATION_HORIZON
        if since is None or since < horizon:
            since, after = horizon, None
        found = await self.sessions.revoked_since(
            since, after=after, limit=REVOCATION_PAGE
        )
        last = found[-1] if len(found) == REVOCATION_PAGE else None
        if last is not None and last.revoked_at is not None:
            return RevocationList(found, last.revoked_at, last.session_id)
        return RevocationList(found, now - REVOCATION_OVERLAP, None)
