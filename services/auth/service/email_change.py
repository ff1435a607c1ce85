"""Another mail address: asked for, told to the old one, confirmed at the new one."""

from dataclasses import dataclass

import structlog

from libs.chassis.audit import AuditEntry, AuditTrail
from libs.events import EventBus, Transaction
from libs.events.catalog import AccountEmailChanged, AccountEmailChangeRequested
from libs.kernel import Clock, SessionId, UserId
from services.auth.domain import (
    EmailAddress,
    LinkPurpose,
    OneTimeLink,
    User,
)
from services.auth.domain.errors import (
    EmailTakenError,
    LinkInvalidError,
    UserMissingError,
)
from services.auth.ports import MailThrottle, UserRepository
from services.auth.service.email_stop import EmailStop
from services.auth.service.evenness import EvenAnswers
from services.auth.service.links import IssuedLink, OneTimeLinks
from services.auth.service.notices import AccountNotices
from services.auth.service.profiles import user_updated
from services.auth.service.step_up import StepUp

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class EmailChange:
    """Use cases that end with another address."""

    bus: EventBus
    users: UserRepository
    links: OneTimeLinks
    stop: EmailStop
    step_up: StepUp
    notices: AccountNotices
    mails: MailThrottle
    audit: AuditTrail
    even: EvenAnswers
    clock: Clock

    async def request(
        self, user_id: UserId, session_id: SessionId, *, email: str
    ) -> None:
        """Send a link to the new address and one to the old that stops the change.

        A taken address is answered alike (EN-1): the old address gets its word, the
        new one nothing.

        Raises:
            StepUpRequiredError: The last proof is older than five minutes (MF-6).
            EmailInvalidError: The text is no address.
            UserMissingError: The account is gone.

        Emits: account.email_change_requested, account.email_stop_offered.
        """
        address = EmailAddress.parse(email)
        await self.step_up.require(user_id, session_id)

        async def send(transaction: Transaction) -> None:
            await self.step_up.require(user_id, session_id, transaction.session)
            # Pinned: who is shut out meanwhile asks for nothing any more.
            user = await self.users.pin(user_id, transaction.session)
            if user is None or not user.may_sign_in:
                raise UserMissingError
            if address.key != user.email.key:
                await self._ask(user, address, session_id, transaction)

        async with self.even.held():
            if not await self.mails.is_admitted(address):
                _log.warning("email_change_mail_throttled")
                return
            await self.bus.run_transaction(send)

    async def confirm(self, *, token: str, client_address: str) -> None:
        """Make a link's address the account's; every other link is void.

        Raises:
            LinkInvalidError: Used, expired, void, invented, or the address was taken
                in the meantime.
            AttemptsThrottledError: Too many of those from one network.

        Emits: account.email_changed, user.updated.
        """

        async def store(link: OneTimeLink, transaction: Transaction) -> None:
            await self._store(link, client_address, transaction)

        await self.links.follow(LinkPurpose.EMAIL_CHANGE, token, client_address, store)

    async def _ask(
        self,
        user: User,
        address: EmailAddress,
        session_id: SessionId,
        transaction: Transaction,
    ) -> None:
        is_taken = await self.users.find_by_email(address, transaction.session)
        link = await self.links.issue(
            transaction, LinkPurpose.EMAIL_CHANGE, user.user_id, new_email=address
        )
        if is_taken:
            # Nobody gets this token: the address is another account's.
            link = IssuedLink("", link.expires_at)
        await self.stop.offer_in(transaction, user)
        entry = AuditEntry(
            action="email.change_requested",
            actor_id=user.user_id,
            session_id=session_id,
        )
        await self.audit.record(entry, transaction.session)
        self.notices.tell(
            transaction,
            AccountEmailChangeRequested,
            user,
            {
                "old_email": user.email.written,
                "new_email": address.written,
                "token": link.token,
            },
            expires_at=link.expires_at,
        )

    async def _store(
        self, link: OneTimeLink, client_address: str, transaction: Transaction
    ) -> None:
        user = await self.users.get(UserId(link.subject_id), transaction.session)
        if user is None or not user.may_sign_in or link.new_email is None:
            raise LinkInvalidError
        now = self.clock.now()
        changed = user.changed(now, email=link.new_email, verified_at=now)
        try:
            await self.users.update(changed, transaction.session)
        except EmailTakenError:
            raise LinkInvalidError from None
        entry = AuditEntry(
            action="email.changed", actor_id=user.user_id, source=client_address
        )
        await self.audit.record(entry, transaction.session)
        transaction.publish(user_updated(changed))
        addresses = {
            "old_email": user.email.written,
            "new_email": changed.email.written,
        }
        self.notices.tell(transaction, AccountEmailChanged, user, addresses)
