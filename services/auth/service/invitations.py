"""Asking people in by mail, and accepting (PW-8)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from libs.chassis.audit import AuditEntry, AuditTrail
from libs.events import EventBus, Transaction
from libs.events.catalog import AccountInvited
from libs.kernel import Clock, UserId, new_id
from services.auth.domain import (
    ADMIN_ROLE,
    INVITE_LIFETIME,
    EmailAddress,
    Invite,
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
    InviteMissingError,
    InvitesRefusedError,
    LinkInvalidError,
    UserMissingError,
)
from services.auth.ports import (
    CredentialRepository,
    InviteRepository,
    MailThrottle,
    UserRepository,
)
from services.auth.service.evenness import EvenAnswers
from services.auth.service.links import OneTimeLinks
from services.auth.service.notices import AccountNotices
from services.auth.service.password_policy import PasswordOwner, PasswordPolicy
from services.auth.service.passwords import PasswordHasher
from services.auth.service.registration import publish_verified, user_created

_log = structlog.get_logger(__name__)
Roles = tuple[str, ...]


@dataclass(frozen=True)
class InvitePage:
    """Invitations in the order of their ids, and whether there are more."""

    items: Sequence[Invite]
    has_more: bool


@dataclass(frozen=True)
class Invitations:
    """Use cases of who invites, and of who is invited."""

    bus: EventBus
    users: UserRepository
    credentials: CredentialRepository
    invites: InviteRepository
    links: OneTimeLinks
    rules: RegistrationRules
    hasher: PasswordHasher
    policy: PasswordPolicy
    notices: AccountNotices
    mails: MailThrottle
    audit: AuditTrail
    even: EvenAnswers
    clock: Clock

    async def invite(
        self, inviter_id: UserId, roles: Roles, *, email: str, role: str, locale: str
    ) -> Invite:
        """Send an invitation; to an address with an account none is sent.

        The inviter cannot tell (EN-1): there is an invitation to see and to revoke in
        either case.

        Raises:
            InvitesRefusedError: These roles do not invite.
            InvalidError: Address or locale breaks its rule.
            UserMissingError: The inviter is gone.

        Emits: account.invited.
        """
        self.rules.check_invites(roles)
        now = self.clock.now()
        invite = Invite(
            invite_id=new_id(),
            email=EmailAddress.parse(email),
            role=role,
            locale=check_locale(locale),
            inviter_id=inviter_id,
            created_at=now,
            expires_at=now + INVITE_LIFETIME,
        )

        async def store(transaction: Transaction) -> None:
            await self._store(invite, transaction)

        async with self.even.held():
            await self.bus.run_transaction(store)
        return invite

    async def list_waiting(
        self, caller_id: UserId, roles: Roles, *, after: str | None, limit: int
    ) -> InvitePage:
        """Return the caller's invitations; an administrator sees everybody's."""
        found = await self.invites.list_waiting(
            inviter_id=None if ADMIN_ROLE in roles else caller_id,
            at=self.clock.now(),
            after=after,
            limit=limit + 1,
        )
        return InvitePage(found[:limit], has_more=len(found) > limit)

    async def revoke(self, caller_id: UserId, roles: Roles, invite_id: str) -> None:
        """Void an invitation; an administrator may void anybody's.

        Raises:
            InviteMissingError: There is none, or it is not the caller's.
        """

        async def remove(transaction: Transaction) -> None:
            found = await self.invites.get(invite_id, transaction.session)
            is_own = found is not None and found.inviter_id == caller_id
            if found is None or not (is_own or ADMIN_ROLE in roles):
                raise InviteMissingError
            await self.invites.remove(invite_id, transaction.session)
            await self.links.void(transaction, invite_id)
            await self._record("invite.revoked", caller_id, invite_id, transaction)

        await self.bus.run_transaction(remove)

    async def accept(
        self,
        *,
        token: str,
        password: str,
        display_name: str,
        locale: str,
        client_address: str,
    ) -> None:
        """Open the account of an invitation: verified, with this password.

        Signs nobody in: the next step is an ordinary sign-in.

        Raises:
            LinkInvalidError: Used, expired, revoked, invented, the address has an
                account by now, or who sent it may not invite any more.
            InvalidError: Password, name or locale breaks a rule; nothing is spent.
            AttemptsThrottledError: Too many invalid links from one network.

        Emits: user.created, user.verified.
        """
        name, tag = check_display_name(display_name), check_locale(locale)
        await self.links.check(LinkPurpose.INVITE, token, client_address)
        registration = Registration(name, tag, await self.hasher.hash(password))

        async def open_account(link: OneTimeLink, transaction: Transaction) -> None:
            invite = await self.invites.get(link.subject_id, transaction.session)
            if invite is None:
                raise LinkInvalidError
            await self._check_inviter(invite, transaction)
            await self.policy.check(password, _owner(invite, name))
            user = await self._open(invite, registration, transaction)
            await self.invites.remove(invite.invite_id, transaction.session)
            await self._record(
                "invite.accepted", user.user_id, invite.invite_id, transaction
            )

        await self.links.follow(LinkPurpose.INVITE, token, client_address, open_account)

    async def _check_inviter(self, invite: Invite, transaction: Transaction) -> None:
        """Accept an invitation whose sender could send it now as well."""
        inviter = await self.users.get(invite.inviter_id, transaction.session)
        if inviter is None or not inviter.may_sign_in:
            raise LinkInvalidError
        try:
            self.rules.check_invites(inviter.roles)
        except InvitesRefusedError:
            raise LinkInvalidError from None

    async def _store(self, invite: Invite, transaction: Transaction) -> None:
        # Pinned: none is stored beside the transaction that voids all of its sender.
        inviter = await self.users.pin(invite.inviter_id, transaction.session)
        if inviter is None or not inviter.may_sign_in:
            raise UserMissingError
        await self.invites.add(invite, transaction.session)
        await self._record(
            "invite.sent", invite.inviter_id, invite.invite_id, transaction
        )
        found = await self.users.find_by_email(invite.email, transaction.session)
        is_new = found is None or found.status is UserStatus.PENDING
        if is_new and await self.mails.is_admitted(invite.email):
            await self._send_link(invite, inviter, transaction)

    async def _send_link(
        self, invite: Invite, inviter: User, transaction: Transaction
    ) -> None:
        link = await self.links.issue(transaction, LinkPurpose.INVITE, invite.invite_id)
        self.notices.publish(
            transaction,
            AccountInvited,
            {"email": invite.email.written, "token": link.token},
            invite_id=invite.invite_id,
            inviter_id=inviter.user_id,
            inviter_name=inviter.display_name,
            locale=invite.locale,
            expires_at=link.expires_at,
        )

    async def _open(
        self, invite: Invite, registration: Registration, transaction: Transaction
    ) -> User:
        """Return the active account; one that only waited for a link is taken over."""
        session, now = transaction.session, self.clock.now()
        waiting = await self.users.find_by_email(invite.email, session)
        if waiting is None:
            user = _user(invite, registration, UserId(new_id()), now)
            try:
                await self.users.add(user, session)
            except EmailTakenError:
                raise LinkInvalidError from None
            transaction.publish(user_created(user))
        elif waiting.status is UserStatus.PENDING:
            user = replace(waiting.activated(registration, now), roles=(invite.role,))
            await self.users.update(user, session)
            await self.links.void(transaction, user.user_id)
        else:
            raise LinkInvalidError
        await self.credentials.put(user.user_id, registration.password_hash, session)
        publish_verified(self.notices, transaction, user)
        return user

    async def _record(
        self, action: str, actor_id: UserId, invite_id: str, transaction: Transaction
    ) -> None:
        entry = AuditEntry(action=action, actor_id=actor_id, target_id=invite_id)
        await self.audit.record(entry, transaction.session)


def _owner(invite: Invite, display_name: str) -> PasswordOwner:
    return PasswordOwner(invite.email, display_name, roles=(invite.role,))


def _user(
    invite: Invite, registration: Registration, user_id: UserId, at: datetime
) -> User:
    return User(
        user_id=user_id,
        revision=1,
        status=UserStatus.ACTIVE,
        email=invite.email,
        display_name=registration.display_name,
        locale=registration.locale,
        roles=(invite.role,),
        created_at=at,
        updated_at=at,
        verified_at=at,
    )
