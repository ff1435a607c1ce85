"""A new password: by the current one, or by a link when it is forgotten (PW-7)."""

from dataclasses import dataclass

import structlog

from libs.chassis.audit import ANONYMOUS_ACTOR, AuditEntry, AuditResult, AuditTrail
from libs.events import EventBus, Transaction
from libs.events.catalog import AccountPasswordChanged, AccountResetRequested
from libs.kernel import SessionId, UserId
from services.auth.domain import (
    EmailAddress,
    Guess,
    GuessPurpose,
    LinkPurpose,
    OneTimeLink,
    RevokeReason,
    Session,
    User,
)
from services.auth.domain.errors import (
    LinkInvalidError,
    PasswordWrongError,
    UserChangedError,
    UserMissingError,
)
from services.auth.ports import (
    CredentialRepository,
    GuessThrottle,
    MailThrottle,
    PendingSignInRepository,
    UserRepository,
)
from services.auth.service.evenness import EvenAnswers
from services.auth.service.guesses import counted
from services.auth.service.links import OneTimeLinks
from services.auth.service.notices import AccountNotices
from services.auth.service.password_policy import PasswordOwner, PasswordPolicy
from services.auth.service.passwords import PasswordHasher
from services.auth.service.reset_link import send_reset_link
from services.auth.service.sessions import SessionControl

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class PasswordChange:
    """Use cases that end with another password."""

    bus: EventBus
    users: UserRepository
    credentials: CredentialRepository
    links: OneTimeLinks
    pending: PendingSignInRepository
    control: SessionControl
    hasher: PasswordHasher
    policy: PasswordPolicy
    notices: AccountNotices
    guesses: GuessThrottle
    mails: MailThrottle
    audit: AuditTrail
    even: EvenAnswers

    async def change(
        self,
        user_id: UserId,
        session_id: SessionId,
        *,
        current: str,
        new: str,
        client_address: str,
    ) -> None:
        """Set another password; other sessions, links and waiting sign-ins end.

        Raises:
            PasswordWrongError: The current one is another; counted like a sign-in.
            PasswordInvalidError: The new one breaks a rule.
            LoginThrottledError: Too many wrong ones.
            UserChangedError: Somebody else changed it in the meantime.

        Emits: account.password_changed, session.revoked.
        """
        user = await self._active(user_id)
        stored = await self._check_current(user, current, client_address)
        await self.policy.check(new, PasswordOwner.of(user))
        renewed = await self.hasher.hash(new)

        async def store(transaction: Transaction) -> list[Session]:
            if await self.credentials.get(user_id, transaction.session) != stored:
                raise UserChangedError
            await self.links.void(transaction, user_id)
            entry = AuditEntry(
                action="password.changed",
                actor_id=user_id,
                session_id=session_id,
                source=client_address,
            )
            return await self._store(user, renewed, entry, transaction, session_id)

        await self.control.announce(await self.bus.run_transaction(store))
        _log.info("password_changed", user_id=user_id)

    async def request_reset(self, *, email: str) -> None:
        """Send a link to an account that signs in by password; silent otherwise.

        Raises:
            EmailInvalidError: The text is no address.
            UnavailableError: A store does not answer.

        Emits: account.reset_requested.
        """
        address = EmailAddress.parse(email)

        async def send(transaction: Transaction) -> None:
            found = await self.users.find_by_email(address, transaction.session)
            if found is None or not found.may_sign_in:
                return
            # Pinned: no link goes to an address that is changed beside it (PW-8).
            user = await self.users.pin(found.user_id, transaction.session)
            if user is None:
                return
            # Who signs in by a provider alone gets no second way in by mail.
            if await self.credentials.is_kept(user.user_id, transaction.session):
                await self._send_link(user, transaction)

        async with self.even.held():
            if not await self.mails.is_admitted(address):
                _log.warning("reset_mail_throttled")
                return
            await self.bus.run_transaction(send)

    async def reset(self, *, token: str, password: str, client_address: str) -> None:
        """Set the password of a link's account; signs nobody in, ends all sessions.

        Personal tokens end with it: who forgot a password and who lost it to another
        look the same, and that other may have made some.

        Raises:
            LinkInvalidError: Used, expired, void or invented.
            PasswordInvalidError: It breaks a rule; the link is not spent.
            AttemptsThrottledError: Too many invalid links from one network.

        Emits: account.password_changed, session.revoked.
        """
        await self.links.check(LinkPurpose.RESET, token, client_address)
        renewed = await self.hasher.hash(password)

        async def store(link: OneTimeLink, transaction: Transaction) -> list[Session]:
            user = await self.users.get(UserId(link.subject_id), transaction.session)
            if user is None or not user.may_sign_in:
                raise LinkInvalidError
            await self.policy.check(password, PasswordOwner.of(user))
            entry = AuditEntry(
                action="password.reset",
                actor_id=ANONYMOUS_ACTOR,
                target_id=user.user_id,
                source=client_address,
            )
            return await self._store(user, renewed, entry, transaction, None)

        ended = await self.links.follow(LinkPurpose.RESET, token, client_address, store)
        await self.control.announce(ended)

    async def _store(
        self,
        user: User,
        password_hash: str,
        entry: AuditEntry,
        transaction: Transaction,
        kept: SessionId | None,
    ) -> list[Session]:
        # Pinned: neither a session nor a token begins beside the end of the others.
        await self.users.pin(user.user_id, transaction.session)
        await self.credentials.put(user.user_id, password_hash, transaction.session)
        await self.pending.remove_all(user.user_id, transaction.session)
        await self.audit.record(entry, transaction.session)
        is_reset = kept is None
        self.notices.tell(
            transaction,
            AccountPasswordChanged,
            user,
            {"email": user.email.written},
            change="reset" if is_reset else "changed",
        )
        changed, reset = RevokeReason.PASSWORD_CHANGED, RevokeReason.PASSWORD_RESET
        return await self.control.end_others_in(
            transaction, user.user_id, kept, reset if is_reset else changed
        )

    async def _check_current(self, user: User, password: str, address: str) -> str:
        guess = Guess(GuessPurpose.PASSWORD, user.email.key, address)
        try:
            async with counted(self.guesses, guess, wrong=PasswordWrongError):
                return await self._match(user, password)
        except PasswordWrongError:
            entry = AuditEntry(
                action="password.change_refused",
                actor_id=user.user_id,
                source=address,
                result=AuditResult.FAILURE,
                reason="password_wrong",
            )
            await self.audit.record(entry, None)
            raise

    async def _match(self, user: User, password: str) -> str:
        stored = await self.credentials.get(user.user_id, None)
        is_match = await self.hasher.verify(password, stored)
        if stored is None or not is_match:
            raise PasswordWrongError
        return stored

    async def _active(self, user_id: UserId) -> User:
        user = await self.users.get(user_id, None)
        if user is None or not user.may_sign_in:
            raise UserMissingError
        return user

    async def _send_link(self, user: User, transaction: Transaction) -> None:
        await send_reset_link(
            transaction, self.links, self.notices, AccountResetRequested, user
        )
