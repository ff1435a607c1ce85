"""The account of an identity: found by issuer and subject, or opened (OI-2)."""

from dataclasses import dataclass

import structlog

from libs.chassis.audit import (
    ANONYMOUS_ACTOR,
    AuditEntry,
    AuditResult,
    AuditTrail,
)
from libs.events import EventBus, Transaction
from libs.kernel import AppError, Clock, UserId, new_id
from services.auth.domain import (
    EmailAddress,
    ProviderIdentity,
    ProviderLink,
    Providers,
    RegistrationRules,
    User,
    UserStatus,
    check_display_name,
    check_locale,
)
from services.auth.domain.errors import (
    DisplayNameInvalidError,
    EmailDomainRefusedError,
    EmailInvalidError,
    EmailTakenError,
    IdentityNotLinkedError,
    IdentityTakenError,
    LocaleInvalidError,
    RegistrationClosedError,
)
from services.auth.ports import ProviderLinkRepository, UserRepository
from services.auth.service.notices import AccountNotices
from services.auth.service.registration import publish_verified, user_created

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class ProviderAccounts:
    """Decides who an identity is here."""

    bus: EventBus
    providers: Providers
    users: UserRepository
    links: ProviderLinkRepository
    rules: RegistrationRules
    notices: AccountNotices
    audit: AuditTrail
    clock: Clock

    async def user_of(self, identity: ProviderIdentity, source: str) -> User:
        """Return the account of an identity; open one where the rules allow it.

        An address never leads to an account that is there already, verified or not:
        its owner links the identity after signing in.

        Args:
            identity: Proven just now.
            source: The client's network address.

        Raises:
            IdentityNotLinkedError: No account, and none can be opened; or it may not
                sign in. The same in every case.

        Emits: user.created, user.verified for a new account.
        """
        owner = await self.links.find(identity.issuer, identity.subject, None)
        try:
            if owner is None:
                return await self._open(identity, source)
            return await self._known(owner)
        except IdentityNotLinkedError as error:
            await self._record_refusal(identity, owner, source, error)
            raise

    async def check(
        self, identity: ProviderIdentity, user: User, transaction: Transaction
    ) -> None:
        """Check in the transaction of a sign-in that the identity is still linked.

        Raises:
            IdentityNotLinkedError: It was unlinked meanwhile.
        """
        session = transaction.session
        owner = await self.links.find(identity.issuer, identity.subject, session)
        if owner != user.user_id:
            raise IdentityNotLinkedError

    async def _known(self, owner: UserId) -> User:
        user = await self.users.get(owner, None)
        if user is None or not user.may_sign_in:
            raise IdentityNotLinkedError
        return user

    async def _open(self, identity: ProviderIdentity, source: str) -> User:
        user = self._new_user(identity)

        async def store(transaction: Transaction) -> None:
            await self.users.add(user, transaction.session)
            link = ProviderLink(
                user_id=user.user_id,
                provider_id=identity.provider_id,
                issuer=identity.issuer,
                subject=identity.subject,
                linked_at=user.created_at,
            )
            await self.links.add(link, transaction.session)
            transaction.publish(user_created(user))
            publish_verified(self.notices, transaction, user)
            entry = linked_entry(user.user_id, identity.provider_id, source)
            await self.audit.record(entry, transaction.session)

        try:
            await self.bus.run_transaction(store)
        except (EmailTakenError, IdentityTakenError):
            raise IdentityNotLinkedError from None
        _log.info("user_opened_by_provider", user_id=user.user_id)
        return user

    def _new_user(self, identity: ProviderIdentity) -> User:
        """Return the account that an identity may open.

        Raises:
            IdentityNotLinkedError: The rules do not allow one.
        """
        try:
            address = EmailAddress.parse(identity.email)
            self.rules.check_registration(address)
        except (EmailInvalidError, RegistrationClosedError, EmailDomainRefusedError):
            raise IdentityNotLinkedError from None
        domain = address.key.rpartition("@")[2]
        provider = self.providers.get(identity.provider_id)
        if not identity.is_email_verified or not provider.admits(domain):
            raise IdentityNotLinkedError
        now = self.clock.now()
        return User(
            user_id=UserId(new_id()),
            revision=1,
            status=UserStatus.ACTIVE,
            email=address,
            display_name=_name(identity, address),
            locale=_locale(identity),
            roles=("member",),
            created_at=now,
            updated_at=now,
            verified_at=now,
        )

    async def _record_refusal(
        self,
        identity: ProviderIdentity,
        owner: UserId | None,
        source: str,
        error: AppError,
    ) -> None:
        entry = AuditEntry(
            action="session.refused",
            actor_id=owner or ANONYMOUS_ACTOR,
            source=source,
            result=AuditResult.FAILURE,
            reason=error.code,
            details={"provider": identity.provider_id},
        )
        await self.audit.record(entry, None)


def linked_entry(user_id: UserId, provider_id: str, source: str) -> AuditEntry:
    """Return what is recorded of a new link."""
    return AuditEntry(
        action="identity.linked",
        actor_id=user_id,
        source=source,
        details={"provider": provider_id},
    )


def _name(identity: ProviderIdentity, address: EmailAddress) -> str:
    try:
        return check_display_name(identity.display_name)
    except DisplayNameInvalidError:
        return address.written.partition("@")[0]


def _locale(identity: ProviderIdentity) -> str:
    try:
        return check_locale(identity.locale)
    except LocaleInvalidError:
        return "en"
