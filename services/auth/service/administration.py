"""What administrators do to accounts: status, roles and sessions."""

from dataclasses import dataclass
from typing import Final

from libs.events.catalog import UserSuspended
from libs.kernel import Clock, SessionId, UserId
from services.auth.domain import (
    Actor,
    Permission,
    RevokeReason,
    Role,
    Session,
    Standing,
    User,
    UserStatus,
    check_bot_roles,
    check_roles,
    custom_names,
    standing_of,
)
from services.auth.domain.errors import (
    GuestPromotionError,
    RolesInvalidError,
    SessionMissingError,
    StatusRefusedError,
)
from services.auth.ports import RoleRepository, UserRepository
from services.auth.service.acts import Acts, Order, Scene
from services.auth.service.invite_ends import InviteEnds
from services.auth.service.last_admin import AdminGuard
from services.auth.service.profiles import user_updated
from services.auth.service.sessions import SessionControl

_PRIVILEGED: Final = (Role.ADMIN, Role.MODERATOR)


@dataclass(frozen=True)
class StatusAct:
    """A change of status that an administrator may order.

    Attributes:
        before: From where it leads; `domain.status` has the ways there are at all.
    """

    action: str
    permission: Permission
    before: frozenset[UserStatus]
    after: UserStatus


SUSPEND: Final = StatusAct(
    "user.suspended",
    Permission.SUSPEND_USERS,
    frozenset({UserStatus.ACTIVE}),
    UserStatus.SUSPENDED,
)
REINSTATE: Final = StatusAct(
    "user.reinstated",
    Permission.SUSPEND_USERS,
    frozenset({UserStatus.SUSPENDED}),
    UserStatus.ACTIVE,
)
DEACTIVATE: Final = StatusAct(
    "user.deactivated",
    Permission.DEACTIVATE_USERS,
    frozenset({UserStatus.ACTIVE, UserStatus.SUSPENDED}),
    UserStatus.DEACTIVATED,
)
REACTIVATE: Final = StatusAct(
    "user.reactivated",
    Permission.DEACTIVATE_USERS,
    frozenset({UserStatus.DEACTIVATED}),
    UserStatus.ACTIVE,
)


@dataclass(frozen=True)
class AccountAdministration:
    """Use cases on others' accounts; `Acts` says who may and keeps the record."""

    acts: Acts
    users: UserRepository
    admins: AdminGuard
    roles: RoleRepository
    control: SessionControl
    invites: InviteEnds
    clock: Clock

    async def move(
        self, act: StatusAct, actor: Actor, user_id: UserId, reason: str
    ) -> User:
        """Change an account's status; one that is there already stays as it is.

        Who stops being active loses every session within a second (SR-6), and the
        invitations that they sent are void.

        Raises:
            StatusRefusedError: The account is in no status that this leads from.
            LastAdminError: Nobody would be left to administrate.
            AppError: See `Acts.on_account`.

        Emits: user.suspended (also for deactivation); session.revoked.
        """

        async def change(scene: Scene) -> tuple[User, list[Session]]:
            target = scene.target
            if target.status is act.after:
                return target, []
            if target.status not in act.before:
                raise StatusRefusedError(target.status, act.after)
            moved = target.moved(act.after, self.clock.now())
            await self.admins.require_left(target, moved, scene.transaction.session)
            return moved, await self._store_status(moved, scene)

        order = Order(actor, act.permission, act.action, user_id, reason)
        user, ended = await self.acts.on_account(order, change)
        await self.control.announce(ended)
        return user

    async def change_roles(
        self, actor: Actor, user_id: UserId, roles: list[str], reason: str
    ) -> User:
        """Give an account exactly these roles; losing one ends its sessions (SR-1).

        Raises:
            RolesInvalidError: Not one base role and existing custom ones, or more
                than a bot may be.
            GrantTooHighError: They allow more than the caller may (AZ-7).
            GuestPromotionError: A guest was to become more than a member.
            LastAdminError: Nobody would be left to administrate.
            AppError: See `Acts.on_account`.

        Emits: user.updated; session.revoked.
        """
        wanted = check_roles(roles)

        async def change(scene: Scene) -> tuple[User, list[Session]]:
            standing = await self._wanted_standing(wanted, scene)
            _require_grantable(scene, standing, wanted)
            target = scene.target
            if target.is_bot:
                check_bot_roles(wanted)
            if target.roles == wanted:
                return target, []
            changed = target.changed(self.clock.now(), roles=wanted)
            await self.admins.require_left(target, changed, scene.transaction.session)
            lost = scene.target_standing.permissions - standing.permissions
            return changed, await self._store_roles(changed, scene, is_loss=bool(lost))

        order = Order(
            actor,
            Permission.CHANGE_ROLES,
            "user.roles_changed",
            user_id,
            reason,
            {"roles": " ".join(wanted)},
        )
        user, ended = await self.acts.on_account(order, change)
        await self.control.announce(ended)
        return user

    async def end_sessions(
        self, actor: Actor, user_id: UserId, session_id: SessionId | None, reason: str
    ) -> int:
        """End one session of an account, or all of them.

        Returns:
            How many ended now.

        Raises:
            SessionMissingError: The account never had such a session.
            AppError: See `Acts.on_account`.

        Emits: session.revoked.
        """

        async def change(scene: Scene) -> list[Session]:
            transaction = scene.transaction
            if session_id is None:
                return await self._end_all(scene, RevokeReason.REVOKED)
            sessions = self.control.sessions
            found = await sessions.get(session_id, transaction.session)
            if found is None or found.user_id != user_id:
                raise SessionMissingError
            return await self.control.end_in(
                transaction, found, RevokeReason.REVOKED, actor_id=actor.user_id
            )

        order = Order(
            actor,
            Permission.END_SESSIONS,
            "session.revoked",
            user_id,
            reason,
            {"is_all": session_id is None},
        )
        ended = await self.acts.on_account(order, change)
        await self.control.announce(ended)
        return len(ended)

    async def _wanted_standing(self, wanted: tuple[str, ...], scene: Scene) -> Standing:
        names = custom_names(wanted)
        # Pinned: a role is not deleted while it is given.
        custom = await self.roles.pin(names, scene.transaction.session)
        if len(custom) != len(names):
            raise RolesInvalidError("unknown")
        return standing_of(scene.target.user_id, wanted, custom)

    async def _store_status(self, moved: User, scene: Scene) -> list[Session]:
        await self.users.update(moved, scene.transaction.session)
        scene.transaction.publish(
            UserSuspended(
                user_id=moved.user_id,
                revision=moved.revision,
                is_suspended=not moved.may_sign_in,
            )
        )
        if moved.may_sign_in:
            return []
        await self.invites.end_in(
            scene.transaction, moved.user_id, actor_id=scene.acting.user_id
        )
        return await self._end_all(scene, RevokeReason.SUSPENDED)

    async def _store_roles(
        self, changed: User, scene: Scene, *, is_loss: bool
    ) -> list[Session]:
        await self.users.update(changed, scene.transaction.session)
        scene.transaction.publish(user_updated(changed))
        if not is_loss:
            return []
        return await self._end_all(scene, RevokeReason.ROLES_CHANGED)

    async def _end_all(self, scene: Scene, reason: RevokeReason) -> list[Session]:
        return await self.control.end_others_in(
            scene.transaction,
            scene.target.user_id,
            None,
            reason,
            actor_id=scene.acting.user_id,
        )


def _require_grantable(
    scene: Scene, standing: Standing, wanted: tuple[str, ...]
) -> None:
    scene.acting.require_cover(standing.base, standing.permissions)
    was_guest = scene.target_standing.base is Role.GUEST
    is_guest = standing.base is Role.GUEST
    if was_guest and standing.base in _PRIVILEGED:
        raise GuestPromotionError
    if (was_guest or is_guest) and custom_names(wanted):
        raise GuestPromotionError
