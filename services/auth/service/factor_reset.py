"""An administrator takes the second factors of somebody who has lost them."""

from dataclasses import dataclass

from libs.kernel import UserId
from services.auth.domain import (
    Actor,
    Permission,
    RevokeReason,
    Session,
    User,
)
from services.auth.domain.errors import SecondFactorMissingError
from services.auth.ports import (
    PendingSignInRepository,
    ProviderLinkRepository,
    SecondFactorRepository,
    UserRepository,
)
from services.auth.service.acts import Acts, Order, Scene
from services.auth.service.second_factor_notice import FactorChange, SecondFactorNotice
from services.auth.service.sessions import SessionControl
from services.auth.service.ways_in import WaysIn


@dataclass(frozen=True)
class FactorReset:
    """The use case for a lost phone; it lets nobody in by itself.

    The first factor is asked for as before, and where a second one is required it is
    enrolled in the next sign-in.
    """

    acts: Acts
    users: UserRepository
    factors: SecondFactorRepository
    pending: PendingSignInRepository
    links: ProviderLinkRepository
    ways_in: WaysIn
    control: SessionControl
    notice: SecondFactorNotice

    async def order(self, actor: Actor, user_id: UserId, reason: str) -> User:
        """Forget an account's app, passkeys and recovery codes; every session ends.

        Raises:
            SecondFactorMissingError: It has none.
            LastWayInError: It signs in by a passkey alone.
            AppError: See `Acts.on_account`.

        Emits: account.mfa_changed, session.revoked.
        """
        order = Order(
            actor, Permission.RESET_FACTORS, "second_factors.reset", user_id, reason
        )
        user, ended = await self.acts.on_account(order, self._reset)
        await self.control.announce(ended)
        return user

    async def _reset(self, scene: Scene) -> tuple[User, list[Session]]:
        transaction, user = scene.transaction, scene.target
        session = transaction.session
        # Pinned: no session that these factors let in begins beside this.
        await self.users.pin(user.user_id, session)
        own = await self.factors.get(user.user_id, session)
        if not own.is_enrolled:
            raise SecondFactorMissingError
        providers = await self.links.providers_of(user.user_id, session)
        await self.ways_in.check_left(own.without_any(), len(providers), session)
        await self.factors.remove(user.user_id, session)
        await self.pending.remove_all(user.user_id, session)
        self.notice.tell_in(transaction, user, FactorChange.RESET)
        ended = await self.control.end_others_in(
            transaction,
            user.user_id,
            None,
            RevokeReason.MFA_CHANGED,
            actor_id=scene.acting.user_id,
        )
        return user, ended
