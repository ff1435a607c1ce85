"""Accounts of programs: made, listed and given tokens by administrators.

Their status, roles and end are those of any account: `AccountAdministration`.
"""

from dataclasses import dataclass

from libs.events import Transaction
from libs.events.catalog import UserCreated
from libs.kernel import Clock, SessionId, UserId, new_id
from services.auth.domain import (
    PERMISSIONS,
    Actor,
    BotWish,
    Permission,
    RevokeReason,
    Role,
    Session,
    Standing,
    User,
    UserFilter,
    check_bot_scopes,
    new_bot,
)
from services.auth.domain.errors import (
    BotMissingError,
    HandleTakenError,
    PersonalTokenMissingError,
)
from services.auth.ports import ErasureRepository, UserRegister, UserRepository
from services.auth.service.acts import Acts, Order, Scene
from services.auth.service.authority import Authority
from services.auth.service.personal_tokens import (
    NewToken,
    PersonalTokens,
    TokenPage,
    TokenWish,
)
from services.auth.service.profiles import UserPage, user_updated

_LOCALE = "en"


@dataclass(frozen=True)
class Bots:
    """Use cases of bots; every act needs the permission and a fresh proof."""

    acts: Acts
    authority: Authority
    users: UserRepository
    register: UserRegister
    erasures: ErasureRepository
    tokens: PersonalTokens
    clock: Clock

    async def create(self, actor: Actor, wish: BotWish, reason: str) -> User:
        """Make a bot; whoever makes it owns it.

        Raises:
            DisplayNameInvalidError, HandleInvalidError: See the rules of profiles.
            HandleTakenError: Somebody has the handle, or had it until their deletion.
            RolesInvalidError: It was to be more than a member.
            GrantTooHighError: It was to be more than its maker (AZ-7).
            AppError: See `Acts.run`.

        Emits: user.created, user.updated.
        """
        bot_id = UserId(new_id())
        made = new_bot(
            bot_id,
            wish,
            owner_id=actor.user_id,
            locale=_LOCALE,
            at=self.clock.now(),
        )

        async def add(transaction: Transaction, acting: Standing) -> User:
            role = Role(wish.role)
            acting.require_cover(role, PERMISSIONS[role])
            # The second revision is the one that tells the handle.
            bot = made.changed(made.created_at)
            await self._require_free(bot.handle, transaction)
            await self.users.add(bot, transaction.session)
            transaction.publish(_created(made))
            transaction.publish(user_updated(bot))
            return bot

        order = Order(
            actor,
            Permission.MANAGE_BOTS,
            "bot.created",
            bot_id,
            reason,
            {"role": wish.role},
        )
        return await self.acts.run(order, add)

    async def _require_free(self, handle: str | None, transaction: Transaction) -> None:
        session = transaction.session
        if handle and await self.erasures.has_handle(handle, session):
            raise HandleTakenError

    async def all(self, actor: Actor, *, after: str | None, limit: int) -> UserPage:
        """Return the bots of any status, in the order of their ids.

        Raises:
            NotPermittedError: The caller does not look after bots.
        """
        await self.authority.require(actor.user_id, Permission.MANAGE_BOTS)
        wanted = UserFilter(is_bot=True)
        found = await self.register.find(wanted, after=after, limit=limit + 1)
        return UserPage(found[:limit], has_more=len(found) > limit)

    async def get(self, actor: Actor, bot_id: UserId) -> User:
        """Return a bot.

        Raises:
            NotPermittedError: The caller does not look after bots.
            BotMissingError: There is none.
        """
        await self.authority.require(actor.user_id, Permission.MANAGE_BOTS)
        return _bot(await self.users.get(bot_id, None))

    async def tokens_of(
        self, actor: Actor, bot_id: UserId, *, after: str | None, limit: int
    ) -> TokenPage:
        """Return a bot's live tokens, without their texts.

        Raises:
            NotPermittedError, BotMissingError: See `get`.
        """
        bot = await self.get(actor, bot_id)
        return await self.tokens.list_own(bot.user_id, after=after, limit=limit)

    async def create_token(
        self, actor: Actor, bot_id: UserId, wish: TokenWish, reason: str
    ) -> NewToken:
        """Make a token of a bot; its text is shown this once.

        Raises:
            BotMissingError: There is no such bot.
            ScopesInvalidError: One that there is not, or that no bot may have.
            AppError: See `PersonalTokens.create` and `Acts.on_account`.
        """
        check_bot_scopes(wish.scopes)

        async def make(scene: Scene) -> NewToken:
            bot = _bot(scene.target)
            return await self.tokens.create_in(
                scene.transaction, bot.user_id, wish, actor_id=actor.user_id
            )

        order = Order(
            actor, Permission.MANAGE_BOTS, "bot.token_created", bot_id, reason
        )
        return await self.acts.on_account(order, make)

    async def revoke_token(
        self, actor: Actor, bot_id: UserId, token_id: SessionId, reason: str
    ) -> None:
        """End a token of a bot within a second everywhere; idempotent.

        Raises:
            BotMissingError: There is no such bot.
            PersonalTokenMissingError: It never had such a token.
            AppError: See `Acts.on_account`.

        Emits: session.revoked with the token's id as session id.
        """

        async def revoke(scene: Scene) -> list[Session]:
            bot = _bot(scene.target)
            session = scene.transaction.session
            token = await self.tokens.tokens.get(token_id, session)
            if token is None or token.user_id != bot.user_id:
                raise PersonalTokenMissingError
            return await self.tokens.control.token_ends.end_in(
                scene.transaction, token, RevokeReason.REVOKED, actor_id=actor.user_id
            )

        order = Order(
            actor, Permission.MANAGE_BOTS, "bot.token_revoked", bot_id, reason
        )
        ended = await self.acts.on_account(order, revoke)
        await self.tokens.control.announce(ended)


def _bot(user: User | None) -> User:
    if user is None or not user.is_bot:
        raise BotMissingError
    return user


def _created(bot: User) -> UserCreated:
    return UserCreated(
        user_id=bot.user_id,
        revision=bot.revision,
        display_name=bot.display_name,
        locale=bot.locale,
        roles=bot.roles,
        is_bot=True,
    )
