"""The former address takes a change of the address back: whoever made it is out."""

from dataclasses import dataclass
from datetime import datetime

import structlog

from libs.chassis.audit import ANONYMOUS_ACTOR, AuditEntry, AuditTrail
from libs.events import EventBus, Transaction, WriteConflictError
from libs.events.catalog import (
    AccountEmailChanged,
    AccountEmailStopOffered,
    AccountResetRequested,
)
from libs.kernel import Clock, UserId
from services.auth.domain import (
    STOP_LIFETIME,
    SUSPECT_BEFORE,
    LinkPurpose,
    OneTimeLink,
    Session,
    User,
)
from services.auth.domain.errors import (
    EmailTakenError,
    LinkInvalidError,
)
from services.auth.ports import (
    ProviderLinkRepository,
    SecondFactorRepository,
    UserRepository,
)
from services.auth.service.links import OneTimeLinks
from services.auth.service.notices import AccountNotices
from services.auth.service.password_void import PasswordEnd
from services.auth.service.profiles import user_updated
from services.auth.service.reset_link import send_reset_link

_log = structlog.get_logger(__name__)
_STOP = LinkPurpose.EMAIL_STOP


@dataclass(frozen=True)
class EmailStop:
    """Use cases of the link that the former address gets.

    It works before the change and for three days after it was asked for. No other
    change voids it, else whoever took the account over would: of two changes in a row
    the link of the first undoes both, and that of the second is void then.
    """

    bus: EventBus
    users: UserRepository
    links: OneTimeLinks
    factors: SecondFactorRepository
    identities: ProviderLinkRepository
    end: PasswordEnd
    notices: AccountNotices
    audit: AuditTrail
    clock: Clock

    async def offer_in(self, transaction: Transaction, user: User) -> None:
        """Send the link to the address that is to be replaced, in its transaction.

        Emits: account.email_stop_offered.
        """
        link = await self.links.issue(
            transaction, _STOP, user.user_id, new_email=user.email
        )
        self.notices.tell(
            transaction,
            AccountEmailStopOffered,
            user,
            {"email": user.email.written, "token": link.token},
            expires_at=link.expires_at,
        )

    async def stop(self, *, token: str, client_address: str) -> None:
        """Make the link's address the account's again; a mail leads to a new password.

        Every session, personal token, waiting sign-in and other link ends, and the
        password is void, for whoever asked for the change knew it or had a session.
        Second factors and identities that were added since, or shortly before, are
        forgotten: they may be ways in of the same hand, which prepared them first.

        Raises:
            LinkInvalidError: Used, expired, void or invented, or the address is
                another account's by now.
            AttemptsThrottledError: Too many of those from one network.

        Emits: account.email_changed, user.updated where the address had changed;
            account.reset_requested, session.revoked.
        """

        async def undo(link: OneTimeLink, transaction: Transaction) -> list[Session]:
            user = await self._restored(link, transaction)
            later = link.expires_at
            await self.links.links.remove_later(
                user.user_id, _STOP, later, transaction.session
            )
            voided = await self.end.void_in(transaction, user)
            since = later - STOP_LIFETIME
            if voided.had_password:
                # The owner comes back by mail, so what is only suspect may go as well.
                since -= SUSPECT_BEFORE
                await self._send_reset(user, transaction)
            await self._forget_added(user, since, transaction)
            entry = AuditEntry(
                action="email.change_stopped",
                actor_id=ANONYMOUS_ACTOR,
                target_id=user.user_id,
                source=client_address,
            )
            await self.audit.record(entry, transaction.session)
            return voided.ended

        ended = await self.links.follow(_STOP, token, client_address, undo)
        await self.end.control.announce(ended)
        _log.info("email_change_stopped")

    async def _restored(self, link: OneTimeLink, transaction: Transaction) -> User:
        user = await self.users.get(UserId(link.subject_id), transaction.session)
        if user is None or not user.may_sign_in or link.new_email is None:
            raise LinkInvalidError
        if user.email.key == link.new_email.key:
            return user
        now = self.clock.now()
        restored = user.changed(now, email=link.new_email, verified_at=now)
        try:
            await self.users.update(restored, transaction.session)
        except EmailTakenError:
            raise LinkInvalidError from None
        transaction.publish(user_updated(restored))
        addresses = {
            "old_email": user.email.written,
            "new_email": restored.email.written,
        }
        self.notices.tell(transaction, AccountEmailChanged, restored, addresses)
        return restored

    async def _forget_added(
        self, user: User, since: datetime, transaction: Transaction
    ) -> None:
        session = transaction.session
        own = await self.factors.get(user.user_id, session)
        left = own.before(since)
        if left is not own and not await self.factors.save(left, session):
            raise WriteConflictError
        providers = await self.identities.providers_of(user.user_id, session)
        for provider_id, linked_at in providers.items():
            if linked_at >= since:
                await self.identities.remove(user.user_id, provider_id, session)

    async def _send_reset(self, user: User, transaction: Transaction) -> None:
        await send_reset_link(
            transaction, self.links, self.notices, AccountResetRequested, user
        )
