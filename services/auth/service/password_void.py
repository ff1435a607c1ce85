"""An administrator makes a password worthless: a link by mail leads to a new one."""

from dataclasses import dataclass
from typing import Final

from libs.events import Transaction
from libs.events.catalog import AccountPasswordVoided
from libs.kernel import UserId
from services.auth.domain import (
    Actor,
    Permission,
    RevokeReason,
    Session,
    User,
    UserStatus,
)
from services.auth.domain.errors import (
    PasswordMissingError,
    StatusRefusedError,
)
from services.auth.ports import (
    CredentialRepository,
    PendingSignInRepository,
    UserRepository,
)
from services.auth.service.acts import Acts, Order, Scene
from services.auth.service.links import OneTimeLinks
from services.auth.service.notices import AccountNotices
from services.auth.service.reset_link import send_reset_link
from services.auth.service.sessions import SessionControl

_WITHOUT: Final = frozenset({UserStatus.PENDING, UserStatus.DELETED})


@dataclass(frozen=True)
class Voided:
    """What came of it.

    Attributes:
        had_password: Whether there was a password at all.
        ended: Sessions, to be announced after the commit.
    """

    had_password: bool
    ended: list[Session]


@dataclass(frozen=True)
class PasswordEnd:
    """Makes a password worthless, and ends what may have come by it."""

    users: UserRepository
    credentials: CredentialRepository
    links: OneTimeLinks
    pending: PendingSignInRepository
    control: SessionControl

    async def void_in(
        self, transaction: Transaction, user: User, *, actor_id: str = ""
    ) -> Voided:
        """Do so in a running transaction.

        Args:
            transaction: The action's.
            user: Whose password.
            actor_id: Who does it; the user if left out.
        """
        session = transaction.session
        # Pinned, as by sign-ins: none begins beside this, whatever it rests on.
        await self.users.pin(user.user_id, session)
        had_password = await self.credentials.void(user.user_id, session)
        await self.links.void(transaction, user.user_id)
        await self.pending.remove_all(user.user_id, session)
        ended = await self.control.end_others_in(
            transaction,
            user.user_id,
            None,
            RevokeReason.PASSWORD_VOIDED,
            actor_id=actor_id,
        )
        return Voided(had_password, ended)


@dataclass(frozen=True)
class PasswordVoid:
    """The use case for a password that is known to others.

    To a stranger the account looks as before: the old password is a wrong one (EN-1).
    Passkeys and linked identities sign in as before, for neither rests on it.
    """

    acts: Acts
    end: PasswordEnd
    notices: AccountNotices

    async def order(self, actor: Actor, user_id: UserId, reason: str) -> User:
        """Void a password and all that came by it; its owner is told by mail.

        Ends every session, personal token, waiting sign-in and link of the account. A
        suspended account gets no link; it asks for one when it is reinstated.

        Raises:
            PasswordMissingError: The account signs in without one.
            StatusRefusedError: The account is not verified, or deleted.
            AppError: See `Acts.on_account`.

        Emits: account.password_voided, session.revoked.
        """

        async def void(scene: Scene) -> tuple[User, list[Session]]:
            if scene.target.status in _WITHOUT:
                raise StatusRefusedError(scene.target.status, scene.target.status)
            return scene.target, await self._void(scene)

        order = Order(
            actor, Permission.RESET_PASSWORDS, "password.voided", user_id, reason
        )
        user, ended = await self.acts.on_account(order, void)
        await self.end.control.announce(ended)
        return user

    async def _void(self, scene: Scene) -> list[Session]:
        transaction, user = scene.transaction, scene.target
        voided = await self.end.void_in(
            transaction, user, actor_id=scene.acting.user_id
        )
        if not voided.had_password:
            raise PasswordMissingError
        if user.may_sign_in:
            await send_reset_link(
                transaction, self.end.links, self.notices, AccountPasswordVoided, user
            )
        return voided.ended
