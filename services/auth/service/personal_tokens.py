"""Making, listing, checking and ending personal access tokens."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from libs.chassis.audit import AuditEntry, AuditTrail
from libs.chassis.scopes import SCOPES, SOCKET_SCOPES
from libs.events import EventBus, Transaction
from libs.kernel import Clock, SessionId, UserId, new_id
from services.auth.domain import (
    PERSONAL_TOKEN_PREFIX,
    PERSONAL_TOKEN_TOUCH,
    PERSONAL_TOKENS_PER_USER_MAX,
    PersonalToken,
    RevokeReason,
    Session,
    User,
    clean_device_name,
    hash_secret,
)
from services.auth.domain.errors import (
    PersonalTokenExpiryError,
    PersonalTokenInvalidError,
    PersonalTokenLimitError,
    PersonalTokenMissingError,
    ScopeInsufficientError,
    ScopesInvalidError,
    UserMissingError,
)
from services.auth.ports import (
    PersonalTokenRepository,
    SecondFactorRepository,
    UserRepository,
)
from services.auth.service.second_factor_policies import SecondFactorPolicies
from services.auth.service.sessions import SessionControl
from services.auth.service.step_up import StepUp
from services.auth.service.tokens import ACCESS_TOKEN_LIFETIME, AccessTokens

_SECRET_BYTES = 32


@dataclass(frozen=True)
class TokenWish:
    """What a token is to be."""

    name: str
    scopes: tuple[str, ...]
    days: int


@dataclass(frozen=True)
class NewToken:
    """A token and its text, shown this once."""

    token: PersonalToken
    text: str = field(repr=False)


@dataclass(frozen=True)
class TokenPage:
    """Tokens in the order of their ids, and whether there are more."""

    items: Sequence[PersonalToken]
    has_more: bool


@dataclass(frozen=True)
class SocketAccess:
    """A short access token for a socket, in place of a personal one."""

    token: PersonalToken
    access_token: str = field(repr=False)
    expires_in: int


@dataclass(frozen=True)
class PersonalTokens:
    """Use cases of tokens for programs."""

    bus: EventBus
    users: UserRepository
    tokens: PersonalTokenRepository
    factors: SecondFactorRepository
    policy: SecondFactorPolicies
    step_up: StepUp
    control: SessionControl
    access: AccessTokens
    audit: AuditTrail
    clock: Clock
    days_max: int

    async def create(
        self, user_id: UserId, session_id: SessionId, wish: TokenWish
    ) -> NewToken:
        """Make a token of the caller.

        Raises:
            StepUpRequiredError: The caller's last proof is too old (MF-6).
            ScopesInvalidError: No scope, or one that there is not.
            PersonalTokenExpiryError: Longer than the installation allows.
            PersonalTokenLimitError: The caller has 50 already.
        """

        async def create(transaction: Transaction) -> NewToken:
            # The account is pinned then: who is shut out meanwhile leaves no token.
            await self.step_up.require(user_id, session_id, transaction.session)
            return await self.create_in(transaction, user_id, wish)

        return await self.bus.run_transaction(create)

    async def create_in(
        self, tx: Transaction, user_id: UserId, wish: TokenWish, *, actor_id: str = ""
    ) -> NewToken:
        """Make a token in a running transaction; the caller has been checked.

        The user is pinned: tokens made at the same moment are counted one by one.

        Raises:
            UserMissingError: The account stopped being active.
            AppError: See `create`.
        """
        self._check(wish)
        user = await self.users.pin(user_id, tx.session)
        if user is None or not user.may_sign_in:
            raise UserMissingError
        await self._check_count(user_id, tx)
        now = self.clock.now()
        text = PERSONAL_TOKEN_PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
        token = PersonalToken(
            token_id=SessionId(new_id()),
            user_id=user_id,
            name=clean_device_name(wish.name) or "Token",
            scopes=tuple(sorted(set(wish.scopes))),
            token_hash=hash_personal_token(text),
            created_at=now,
            expires_at=now + timedelta(days=wish.days),
        )
        await self.tokens.add(token, tx.session)
        entry = AuditEntry(
            action="token.created",
            actor_id=actor_id or user_id,
            target_id=token.token_id,
            on_behalf_of=user_id if actor_id else "",
            details={"scopes": " ".join(token.scopes), "days": wish.days},
        )
        await self.audit.record(entry, tx.session)
        return NewToken(token, text)

    async def list_own(
        self, user_id: UserId, *, after: str | None, limit: int
    ) -> TokenPage:
        """Return the caller's live tokens; see `SessionControl.list_own`."""
        found = await self.tokens.list_live(
            user_id, at=self.clock.now(), after=after, limit=limit + 1
        )
        return TokenPage(found[:limit], has_more=len(found) > limit)

    async def revoke_own(self, user_id: UserId, token_id: SessionId) -> None:
        """End one of the caller's tokens; idempotent, no fresh proof is asked.

        Raises:
            PersonalTokenMissingError: The caller never had such a token.

        Emits: session.revoked with the token's id as session id.
        """

        async def revoke(tx: Transaction) -> list[Session]:
            token = await self.tokens.get(token_id, tx.session)
            if token is None or token.user_id != user_id:
                raise PersonalTokenMissingError
            return await self.control.token_ends.end_in(tx, token, RevokeReason.REVOKED)

        await self.control.announce(await self.bus.run_transaction(revoke))

    async def resolve(self, token_hash: str) -> tuple[User, PersonalToken]:
        """Return whom a token speaks for now, and remember its use.

        Raises:
            PersonalTokenInvalidError: Unknown, over, or its user may not sign in or
                lacks the second factor that is required of them (MF-3). A bot has
                none: nobody signs in to it.
        """
        now = self.clock.now()
        token = await self.tokens.find_by_hash(token_hash)
        if token is None or not token.is_live(now):
            raise PersonalTokenInvalidError
        user = await self.users.get(token.user_id, None)
        if user is None or not user.may_sign_in:
            raise PersonalTokenInvalidError
        if not user.is_bot and await self.policy.requires(user):
            own = await self.factors.get(user.user_id, None)
            if not own.is_enrolled:
                raise PersonalTokenInvalidError
        used_at = token.last_used_at
        if used_at is None or now - used_at >= PERSONAL_TOKEN_TOUCH:
            await self.tokens.touch(token.token_id, now)
        return user, token

    async def exchange(self, text: str) -> SocketAccess:
        """Return a short access token with the token's scopes, for a socket.

        It ends with the personal one where that has less than five minutes left.

        Raises:
            PersonalTokenInvalidError: See `resolve`.
            ScopeInsufficientError: It may not both read and write conversations.
        """
        user, token = await self.resolve(hash_personal_token(text))
        if not SOCKET_SCOPES.issubset(token.scopes):
            raise ScopeInsufficientError
        lifetime = min(ACCESS_TOKEN_LIFETIME, token.expires_at - self.clock.now())
        access_token = self.access.issue(
            user.user_id,
            token.token_id,
            user.roles,
            scopes=token.scopes,
            lifetime=lifetime,
        )
        return SocketAccess(token, access_token, int(lifetime.total_seconds()))

    async def _check_count(self, user_id: UserId, tx: Transaction) -> None:
        live = await self.tokens.list_live(
            user_id,
            at=self.clock.now(),
            after=None,
            limit=PERSONAL_TOKENS_PER_USER_MAX,
            session=tx.session,
        )
        if len(live) >= PERSONAL_TOKENS_PER_USER_MAX:
            raise PersonalTokenLimitError(PERSONAL_TOKENS_PER_USER_MAX)

    def _check(self, wish: TokenWish) -> None:
        if not wish.scopes or not SCOPES.issuperset(wish.scopes):
            raise ScopesInvalidError
        if not 1 <= wish.days <= self.days_max:
            raise PersonalTokenExpiryError(self.days_max)


def hash_personal_token(text: str) -> str:
    """Return what is stored and looked up of a token: SHA-256 in hex."""
    return hash_secret(text)
