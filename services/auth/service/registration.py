"""Registering an account and proving that the address is one's own."""

from dataclasses import dataclass

import structlog

from libs.chassis.audit import ANONYMOUS_ACTOR, AuditEntry, AuditTrail
from libs.events import EventBus, Transaction
from libs.events.catalog import (
    AccountVerificationRequested,
    UserCreated,
    UserVerified,
)
from libs.kernel import Clock, UserId, new_id
from services.auth.domain import (
    EmailAddress,
    Guess,
    GuessPurpose,
    LinkPurpose,
    OneTimeLink,
    Registration,
    RegistrationRules,
    User,
    UserStatus,
    check_display_name,
    check_locale,
)
from services.auth.domain.errors import (
    EmailTakenError,
    PasswordWrongError,
)
from services.auth.ports import CredentialRepository, MailThrottle, UserRepository
from services.auth.service.evenness import EvenAnswers
from services.auth.service.guesses import counted
from services.auth.service.links import OneTimeLinks, invalid_link
from services.auth.service.notices import AccountNotices
from services.auth.service.password_policy import PasswordOwner, PasswordPolicy
from services.auth.service.passwords import PasswordHasher

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class AccountRegistration:
    """Use cases from the first form to the followed link.

    A stranger learns nothing about who has an account: each use case that takes an
    address answers the same, whatever it found (EN-1), after the same time (EN-2).
    """

    bus: EventBus
    users: UserRepository
    credentials: CredentialRepository
    links: OneTimeLinks
    rules: RegistrationRules
    hasher: PasswordHasher
    policy: PasswordPolicy
    notices: AccountNotices
    throttle: MailThrottle
    even: EvenAnswers
    audit: AuditTrail
    clock: Clock

    async def register(
        self, *, email: str, password: str, display_name: str, locale: str
    ) -> None:
        """Open a pending account and have a link sent to its address.

        For a pending account a new link with what was typed now is sent; for any
        other existing account nothing happens, and the caller cannot tell.

        Raises:
            InvalidError: A field breaks its rule (address, password, name, locale).
            ForbiddenError: Nobody registers, or no address of this domain.
            UnavailableError: Hashing is overloaded, or a store does not answer.

        Emits: user.created, account.verification_requested.
        """
        address = EmailAddress.parse(email)
        self.rules.check_registration(address)
        name, tag = check_display_name(display_name), check_locale(locale)
        await self.policy.check(password, PasswordOwner(address, name))
        # Hashed before the account is looked up: the same work in every case.
        registration = Registration(name, tag, await self.hasher.hash(password))

        async def store(transaction: Transaction) -> None:
            found = await self.users.find_by_email(address, transaction.session)
            user = found or await self._open(address, registration, transaction)
            if user.status is not UserStatus.PENDING:
                return
            await self._keep_first(user, registration, transaction, is_first=not found)
            await self._send_link(user, registration, transaction)

        async with self.even.held():
            if not await self.throttle.is_admitted(address):
                _log.warning("registration_mail_throttled")
                return
            try:
                await self.bus.run_transaction(store)
            except EmailTakenError:
                # The same form twice at once: the other one has sent its link.
                _log.info("registration_outrun")

    async def request_verification(self, *, email: str) -> None:
        """Send a new link to a pending account that was registered once.

        After a second registration nobody can tell whose password the link would
        activate, the owner's or a stranger's: none is sent, the owner registers again.

        Raises:
            EmailInvalidError: The text is no address.
            UnavailableError: A store does not answer.

        Emits: account.verification_requested.
        """
        address = EmailAddress.parse(email)

        async def send(transaction: Transaction) -> None:
            user = await self.users.find_by_email(address, transaction.session)
            if user is None or user.status is not UserStatus.PENDING:
                return
            password_hash = await self.credentials.get(
                user.user_id, transaction.session
            )
            if password_hash is not None:
                only = Registration(user.display_name, user.locale, password_hash)
                await self._send_link(user, only, transaction)

        async with self.even.held():
            if not await self.throttle.is_admitted(address):
                _log.warning("verification_mail_throttled")
                return
            await self.bus.run_transaction(send)

    async def verify(
        self, token: str, password: str, client_address: str = ""
    ) -> UserId:
        """Activate the registration that a link was sent for, once (PW-8).

        Args:
            token: As in the mail.
            password: Of that registration. The owner of an address who follows the
                link of a stranger's registration does not know it: nobody gets an
                account at another's address by their click (pre-hijacking).
            client_address: Where it comes from.

        Raises:
            VerificationTokenInvalidError: Used, expired, replaced or invented.
            PasswordWrongError: Another registration's; the link is not spent.
            AttemptsThrottledError: Too many of those from one network.

        Emits: user.verified.
        """
        link = await self.links.check(LinkPurpose.VERIFICATION, token, client_address)
        await self._check_password(link, password, client_address)

        async def activate(link: OneTimeLink, transaction: Transaction) -> UserId:
            active_id = await self._activate(link, transaction)
            entry = AuditEntry("user.verified", active_id, source=client_address)
            await self.audit.record(entry, transaction.session)
            return active_id

        user_id = await self.links.follow(
            LinkPurpose.VERIFICATION, token, client_address, activate
        )
        _log.info("user_verified", user_id=user_id)
        return user_id

    async def _check_password(
        self, link: OneTimeLink, password: str, client_address: str
    ) -> None:
        digest = link.registration.password_hash if link.registration else None
        guess = Guess(GuessPurpose.VERIFICATION, link.subject_id, client_address)
        async with counted(self.links.throttle, guess, wrong=PasswordWrongError):
            if not await self.hasher.verify(password, digest):
                raise PasswordWrongError

    async def _activate(self, link: OneTimeLink, transaction: Transaction) -> UserId:
        user = await self.users.get(UserId(link.subject_id), transaction.session)
        is_waiting = user is not None and user.status is UserStatus.PENDING
        if user is None or not is_waiting or link.registration is None:
            raise invalid_link(LinkPurpose.VERIFICATION)
        active = user.activated(link.registration, self.clock.now())
        await self.users.update(active, transaction.session)
        await self.credentials.put(
            active.user_id, link.registration.password_hash, transaction.session
        )
        publish_verified(self.notices, transaction, active)
        return active.user_id

    async def _open(
        self, address: EmailAddress, registration: Registration, tx: Transaction
    ) -> User:
        now = self.clock.now()
        user = User(
            user_id=UserId(new_id()),
            revision=1,
            status=UserStatus.PENDING,
            email=address,
            display_name=registration.display_name,
            locale=registration.locale,
            roles=("member",),
            created_at=now,
            updated_at=now,
        )
        await self.users.add(user, tx.session)
        tx.publish(user_created(user))
        # Of nobody: who typed an address has not shown that it is theirs.
        entry = AuditEntry("user.registered", ANONYMOUS_ACTOR, user.user_id)
        await self.audit.record(entry, tx.session)
        return user

    async def _keep_first(
        self, user: User, registration: Registration, tx: Transaction, *, is_first: bool
    ) -> None:
        """Keep the password of the only registration, for a resend."""
        if is_first:
            digest = registration.password_hash
            await self.credentials.put(user.user_id, digest, tx.session)
        else:
            await self.credentials.remove(user.user_id, tx.session)

    async def _send_link(
        self, user: User, registration: Registration, tx: Transaction
    ) -> None:
        link = await self.links.issue(
            tx, LinkPurpose.VERIFICATION, user.user_id, registration=registration
        )
        self.notices.publish(
            tx,
            AccountVerificationRequested,
            {"email": user.email.written, "token": link.token},
            user_id=user.user_id,
            display_name=registration.display_name,
            locale=registration.locale,
            expires_at=link.expires_at,
        )


def user_created(user: User) -> UserCreated:
    """Return the event of a new account."""
    return UserCreated(
        user_id=user.user_id,
        revision=user.revision,
        display_name=user.display_name,
        locale=user.locale,
        roles=user.roles,
    )


def publish_verified(
    notices: AccountNotices, transaction: Transaction, user: User
) -> None:
    """Tell that an account is active, and its address to who writes to it."""
    notices.tell(
        transaction,
        UserVerified,
        user,
        {"email": user.email.written},
        revision=user.revision,
    )
