"""Registering an account and proving that the address is one's own."""

import hashlib
import secrets
from dataclasses import dataclass

import structlog

from libs.crypto import FieldSealer
from libs.events import EventBus, Transaction
from libs.events.catalog import (
    AccountVerificationRequested,
    UserCreated,
    UserVerified,
)
from libs.kernel import Clock, EventId, UserId, new_id
from services.auth.domain import (
    VERIFICATION_LIFETIME,
    EmailAddress,
    EmailTakenError,
    Registration,
    User,
    UserStatus,
    Verification,
    VerificationTokenInvalidError,
    check_display_name,
    check_locale,
)
from services.auth.ports import (
    CredentialRepository,
    MailThrottle,
    UserRepository,
    VerificationRepository,
)
from services.auth.service.password_policy import PasswordOwner, PasswordPolicy
from services.auth.service.passwords import PasswordHasher

_TOKEN_BYTES = 32
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class AccountRegistration:
    """Use cases from the first form to the followed link.

    A stranger learns nothing about who has an account: each use case that takes an
    address answers the same, whatever it found (EN-1).
    """

    bus: EventBus
    users: UserRepository
    credentials: CredentialRepository
    verifications: VerificationRepository
    hasher: PasswordHasher
    policy: PasswordPolicy
    transport: FieldSealer
    throttle: MailThrottle
    clock: Clock

    async def register(
        self, *, email: str, password: str, display_name: str, locale: str
    ) -> None:
        """Open a pending account and have a link sent to its address.

        For a pending account a new link with what was typed now is sent; for any
        other existing account nothing happens, and the caller cannot tell.

        Raises:
            InvalidError: A field breaks its rule (address, password, name, locale).
            UnavailableError: Hashing is overloaded, or a store does not answer.

        Emits: user.created, account.verification_requested.
        """
        address = EmailAddress.parse(email)
        name, tag = check_display_name(display_name), check_locale(locale)
        await self.policy.check(password, PasswordOwner(address, name))
        # Hashed before the account is looked up: the same work in every case.
        registration = Registration(name, tag, await self.hasher.hash(password))
        if not await self.throttle.is_admitted(address):
            _log.warning("registration_mail_throttled")
            return

        async def store(transaction: Transaction) -> None:
            found = await self.users.find_by_email(address, transaction.session)
            user = found or await self._open(address, registration, transaction)
            if user.status is UserStatus.PENDING:
                await self._send_link(user, registration, transaction)

        try:
            await self.bus.run_transaction(store)
        except EmailTakenError:
            # The same form twice at once: the other one has sent its link.
            _log.info("registration_outrun")

    async def request_verification(self, *, email: str) -> None:
        """Send a new link to a pending account, for its newest registration.

        Raises:
            EmailInvalidError: The text is no address.
            UnavailableError: A store does not answer.

        Emits: account.verification_requested.
        """
        address = EmailAddress.parse(email)
        if not await self.throttle.is_admitted(address):
            _log.warning("verification_mail_throttled")
            return

        async def send(transaction: Transaction) -> None:
            user = await self.users.find_by_email(address, transaction.session)
            if user is None or user.status is not UserStatus.PENDING:
                return
            password_hash = await self.credentials.get(
                user.user_id, transaction.session
            )
            if password_hash is not None:
                newest = Registration(user.display_name, user.locale, password_hash)
                await self._send_link(user, newest, transaction)

        await self.bus.run_transaction(send)

    async def verify(self, token: str) -> UserId:
        """Activate the registration that a link was sent for, once (PW-8).

        Raises:
            VerificationTokenInvalidError: Used, expired, replaced or invented.

        Emits: user.verified.
        """
        token_hash = hash_token(token)

        async def activate(transaction: Transaction) -> UserId:
            found = await self.verifications.take(token_hash, transaction.session)
            now = self.clock.now()
            if found is None or found.is_expired(now):
                raise VerificationTokenInvalidError
            user = await self.users.get(found.user_id, transaction.session)
            if user is None or user.status is not UserStatus.PENDING:
                raise VerificationTokenInvalidError
            active = user.activated(found.registration, now)
            await self._store_active(active, found.registration, transaction)
            return active.user_id

        user_id = await self.bus.run_transaction(activate)
        _log.info("user_verified", user_id=user_id)
        return user_id

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
        tx.publish(
            UserCreated(
                user_id=user.user_id,
                revision=user.revision,
                display_name=user.display_name,
                locale=user.locale,
                roles=user.roles,
            )
        )
        return user

    async def _send_link(
        self, user: User, registration: Registration, tx: Transaction
    ) -> None:
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        expires_at = self.clock.now() + VERIFICATION_LIFETIME
        link = Verification(hash_token(token), user.user_id, registration, expires_at)
        await self.verifications.add(link, tx.session)
        await self.credentials.put(user.user_id, registration.password_hash, tx.session)
        event_id = EventId(new_id())
        event_type = AccountVerificationRequested.event_type
        context = (event_id, event_type)
        event = AccountVerificationRequested(
            user_id=user.user_id,
            display_name=registration.display_name,
            locale=registration.locale,
            email=self.transport.seal(
                user.email.written, *context, "email", user.user_id
            ),
            token=self.transport.seal(token, *context, "token", user.user_id),
            expires_at=expires_at,
        )
        tx.publish(event, event_id=event_id)

    async def _store_active(
        self, user: User, registration: Registration, tx: Transaction
    ) -> None:
        await self.users.update(user, tx.session)
        await self.credentials.put(user.user_id, registration.password_hash, tx.session)
        await self.verifications.remove_all(user.user_id, tx.session)
        event_id = EventId(new_id())
        verified = UserVerified(
            user_id=user.user_id,
            revision=user.revision,
            display_name=user.display_name,
            locale=user.locale,
            email=self.transport.seal(
                user.email.written,
                event_id,
                UserVerified.event_type,
                "email",
                user.user_id,
            ),
        )
        tx.publish(verified, event_id=event_id)


def hash_token(token: str) -> str:
    """Return what is stored of a token from a mail: SHA-256 in hex."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
