"""Erasing accounts whose grace is over: everything auth has of them, at once.

One transaction an account: killed anywhere, it is whole or not begun, and the next
round finds what is left. Whoever signs in at the same moment pins the account in a
transaction of their own, so one of the two runs again and sees what the other did.
"""

import asyncio
from dataclasses import dataclass

import structlog

from libs.chassis.audit import AuditEntry, AuditTrail
from libs.crypto import DecryptError
from libs.events import EventBus, Transaction
from libs.events.catalog import UserDeleted
from libs.kernel import AppError, Clock, UserId
from services.auth.domain import (
    RevokeReason,
    Session,
    User,
)
from services.auth.domain.erasure import Erasure
from services.auth.ports import (
    CredentialRepository,
    DeletionQueue,
    ErasureRepository,
    InviteRepository,
    Lease,
    LinkRepository,
    PendingSignInRepository,
    PersonalTokenRepository,
    PictureRepository,
    PreferencesRepository,
    ProviderLinkRepository,
    SecondFactorRepository,
    UserRepository,
)
from services.auth.service.erasure_metrics import measure
from services.auth.service.sessions import REVOCATION_HORIZON, SessionControl

_PAGE = 50
_ERASER = "auth"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class ErasedParts:
    """Where something of a person may be, beside the account itself."""

    credentials: CredentialRepository
    second_factors: SecondFactorRepository
    identities: ProviderLinkRepository
    links: LinkRepository
    invites: InviteRepository
    pending: PendingSignInRepository
    personal_tokens: PersonalTokenRepository
    preferences: PreferencesRepository
    pictures: PictureRepository


@dataclass(frozen=True)
class AccountEraser:
    """The duty; one process of all does it at a time."""

    bus: EventBus
    users: UserRepository
    queue: DeletionQueue
    erasures: ErasureRepository
    parts: ErasedParts
    control: SessionControl
    audit: AuditTrail
    lease: Lease
    clock: Clock

    async def run(self, interval_seconds: float) -> None:
        """Erase who is due, and measure who has not answered, until cancelled."""
        while True:
            try:
                await self.lease.run(self.erase_due)
            except AppError as error:
                # Mostly: another process does it. The metrics tell what is overdue.
                _log.info("erasing_not_run", code=error.code)
            await measure(self.queue, self.erasures, self.clock.now())
            await asyncio.sleep(interval_seconds)

    async def erase_due(self) -> int:
        """Erase everybody whose grace is over; return how many.

        One account that cannot be erased does not keep the others.

        Emits: user.deleted, and session.revoked where a session was left.
        """
        erased, after = 0, None
        now = self.clock.now()
        while ids := await self.queue.due(at=now, after=after, limit=_PAGE):
            for user_id in ids:
                try:
                    erased += await self.erase(user_id)
                except AppError as error:
                    _log.warning("erasing_failed", user_id=user_id, code=error.code)
                except DecryptError:
                    code = "decrypt_failed"
                    _log.warning("erasing_failed", user_id=user_id, code=code)
            after = ids[-1]
        return erased

    async def erase(self, user_id: UserId) -> bool:
        """Erase an account; False if it is not due (any more) or gone."""

        async def store(transaction: Transaction) -> list[Session] | None:
            user = await self.users.pin(user_id, transaction.session)
            if user is None or not user.is_due(self.clock.now()):
                return None
            ended = await self.control.end_others_in(
                transaction, user_id, None, RevokeReason.DELETED, actor_id=_ERASER
            )
            await self._erase_parts(user, transaction)
            await self._replace_account(user, transaction)
            return ended

        ended = await self.bus.run_transaction(store)
        if ended is None:
            return False
        await self.control.announce(ended)
        _log.info("account_erased", user_id=user_id)
        return True

    async def _erase_parts(self, user: User, transaction: Transaction) -> None:
        session, parts, user_id = transaction.session, self.parts, user.user_id
        await parts.credentials.remove(user_id, session)
        await parts.second_factors.remove(user_id, session)
        await parts.identities.remove_all(user_id, session)
        await parts.pending.remove_all(user_id, session)
        await parts.personal_tokens.remove_all(user_id, session)
        await parts.preferences.remove(user_id, session)
        await parts.pictures.remove_all(user_id, session)
        await parts.links.remove_all(user_id, session)
        sent = await parts.invites.remove_of(user_id, session)
        received = await parts.invites.remove_to(user.email, session)
        for invite_id in (*sent, *received):
            await parts.links.remove_all(invite_id, session)
        horizon = self.clock.now() - REVOCATION_HORIZON
        await self.control.sessions.forget(
            user_id, ended_before=horizon, session=session
        )

    async def _replace_account(self, user: User, transaction: Transaction) -> None:
        now, session = self.clock.now(), transaction.session
        revision = user.revision + 1
        await self.queue.remove(user.user_id, session)
        erasure = Erasure(user.user_id, revision, erased_at=now, told_at=now)
        await self.erasures.add(erasure, user.handle, session)
        transaction.publish(UserDeleted(user_id=user.user_id, revision=revision))
        entry = AuditEntry(
            action="user.erased", actor_id=_ERASER, target_id=user.user_id
        )
        await self.audit.record(entry, session)
