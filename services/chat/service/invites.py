"""Links by which somebody comes into a conversation."""

import secrets
from hashlib import sha256

from libs.events import EventBus, Transaction
from libs.kernel import Clock, ConversationId, UserId, new_id
from services.chat.domain.conversation import Conversation
from services.chat.domain.errors import (
    ConversationNotFoundError,
    DraftInvalidError,
    InviteNotFoundError,
    NotPermittedError,
    UserIsBannedError,
    UserNotFoundError,
)
from services.chat.domain.invite import (
    TOKEN_BYTES,
    Invite,
    InviteTerms,
    check_terms,
)
from services.chat.domain.limits import Limits
from services.chat.domain.permissions import Action, require_may_give
from services.chat.domain.rates import Rated
from services.chat.ports import (
    ConversationRepository,
    InviteRepository,
    MessageWriter,
    Session,
    UserRepository,
)
from services.chat.service.access import require_access
from services.chat.service.conversations import Membership
from services.chat.service.membership import MembershipChanges
from services.chat.service.rates import UserLimits
from services.chat.service.recording import Act, Recorder
from services.chat.service.transactions import run_change


class Invites:
    """Use cases on invites.

    Args:
        bus: Opens transactions.
        repository: Conversations and members.
        invites: Where they are kept.
        users: Tells whether a link's maker is suspended or gone.
        changes: Brings in who accepts.
        writer: Told when membership moved.
        rates: How often a user makes and tries links.
        recorder: Keeps who made, used and revoked them.
        clock: Tells what has expired.
        limits: See `Limits`.
    """

    def __init__(
        self,
        bus: EventBus,
        repository: ConversationRepository,
        invites: InviteRepository,
        users: UserRepository,
        *,
        changes: MembershipChanges,
        writer: MessageWriter,
        rates: UserLimits,
        recorder: Recorder,
        clock: Clock,
        limits: Limits,
    ) -> None:
        self._bus = bus
        self._repository = repository
        self._invites = invites
        self._users = users
        self._changes = changes
        self._writer = writer
        self._rates = rates
        self._recorder = recorder
        self._clock = clock
        self._limits = limits

    async def create(
        self, user_id: UserId, conversation_id: ConversationId, terms: InviteTerms
    ) -> tuple[Invite, str]:
        """Make a link.

        Returns:
            The invite and its token, 256 random bits, which is shown only now.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
            NotPermittedError: The user may not invite, or not give this role.
            DraftInvalidError: See `check_terms`; ``too_many_invites``.
            RateLimitedError: Too many links lately.
        """
        await self._rates.require(Rated.INVITE, user_id)
        token = secrets.token_urlsafe(TOKEN_BYTES)

        async def change(transaction: Transaction) -> Invite:
            session = transaction.session
            _, actor = await require_access(
                self._repository,
                user_id,
                conversation_id,
                Action.INVITE,
                session=session,
            )
            require_may_give(actor.role, terms.role)
            check_terms(terms, self._limits)
            await self._check_count(conversation_id, session)
            invite = self._invite(user_id, conversation_id, terms, token)
            await self._invites.insert(invite, session=session)
            await self._recorder.record(
                transaction,
                Act.INVITE_MADE,
                conversation_id,
                user_id,
                target_id=invite.invite_id,
                role=str(terms.role),
                uses_max=terms.uses_max or 0,
            )
            return invite

        return await run_change(self._bus, change), token

    async def page(
        self,
        user_id: UserId,
        conversation_id: ConversationId,
        *,
        after: str,
        limit: int,
    ) -> tuple[list[Invite], str | None]:
        """Return links that have not expired, the oldest first, and where to go on.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
            NotPermittedError: The role does not allow it.
        """
        await require_access(self._repository, user_id, conversation_id, Action.INVITE)
        found = await self._invites.page(
            conversation_id, self._clock.now(), after=after, limit=limit + 1
        )
        shown = found[:limit]
        return shown, shown[-1].invite_id if len(found) > limit else None

    async def revoke(
        self, user_id: UserId, conversation_id: ConversationId, invite_id: str
    ) -> None:
        """Make a link worthless; who came in by it stays.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
            NotPermittedError: The role does not allow it.
            InviteNotFoundError: The conversation has no such invite.
        """

        async def change(transaction: Transaction) -> None:
            session = transaction.session
            await require_access(
                self._repository,
                user_id,
                conversation_id,
                Action.INVITE,
                session=session,
            )
            if not await self._invites.remove(
                conversation_id, invite_id, session=session
            ):
                raise InviteNotFoundError
            await self._recorder.record(
                transaction,
                Act.INVITE_REVOKED,
                conversation_id,
                user_id,
                target_id=invite_id,
            )

        await run_change(self._bus, change)

    async def accept(self, user_id: UserId, token: str) -> Membership:
        """Come in by a link; a member stays as is, and takes no use.

        A link is worth what whoever made it may do now: if they have left, are
        suspended, or may not bring in anybody any more, it is as if it were not there.

        Raises:
            InviteNotFoundError: Foreign, expired, used up, revoked; or it leads to
                where the user cannot come in.
            ConversationIsArchivedError: It leads to a read-only conversation.
            DraftInvalidError: ``too_many_members``.
            RateLimitedError: Too many tries lately.

        Emits: conversation.member_added.
        """
        await self._rates.require(Rated.ACCEPT, user_id)
        token_hash = sha256(token.encode()).digest()

        async def change(transaction: Transaction) -> Membership:
            session = transaction.session
            invite = await self._invites.find(token_hash, session=session)
            if invite is None or not invite.is_open(self._clock.now()):
                raise InviteNotFoundError
            conversation = await self._opened_by(invite, session)
            try:
                return await self._admit(transaction, conversation, invite, user_id)
            except (UserIsBannedError, UserNotFoundError):
                raise InviteNotFoundError from None

        membership = await run_change(self._bus, change)
        self._writer.forget(membership.conversation.conversation_id)
        return membership

    async def _admit(
        self,
        transaction: Transaction,
        conversation: Conversation,
        invite: Invite,
        user_id: UserId,
    ) -> Membership:
        place, session = conversation.conversation_id, transaction.session
        if await self._repository.members_among(place, [user_id], session=session):
            found = await require_access(
                self._repository, user_id, place, session=session
            )
            return Membership(*found)
        member = await self._changes.admit(
            transaction,
            conversation,
            user_id,
            invite.role,
            added_by=invite.created_by,
            invite_id=invite.invite_id,
        )
        now = self._clock.now()
        if not await self._invites.take_use(invite.invite_id, now, session=session):
            raise InviteNotFoundError
        await self._recorder.record(
            transaction,
            Act.INVITE_USED,
            place,
            user_id,
            target_id=invite.invite_id,
        )
        stored = await self._repository.get(place, session=session)
        return Membership(stored or conversation, member)

    async def _opened_by(self, invite: Invite, session: Session) -> Conversation:
        """Return where an invite leads, if its maker could bring somebody in now."""
        maker_now = await self._users.get(invite.created_by, session=session)
        if maker_now is not None and (maker_now.is_suspended or maker_now.is_deleted):
            raise InviteNotFoundError  # SR-6
        try:
            conversation, maker = await require_access(
                self._repository,
                invite.created_by,
                invite.conversation_id,
                Action.INVITE,
                session=session,
            )
            require_may_give(maker.role, invite.role)
        except (ConversationNotFoundError, NotPermittedError):
            raise InviteNotFoundError from None
        return conversation

    async def _check_count(
        self, conversation_id: ConversationId, session: Session
    ) -> None:
        now = self._clock.now()
        count = await self._invites.count(conversation_id, now, session=session)
        if count >= self._limits.invites:
            raise DraftInvalidError(
                "too_many_invites",
                f"A conversation has at most {self._limits.invites} invites.",
                limit=self._limits.invites,
            )

    def _invite(
        self,
        user_id: UserId,
        conversation_id: ConversationId,
        terms: InviteTerms,
        token: str,
    ) -> Invite:
        now = self._clock.now()
        return Invite(
            invite_id=new_id(),
            conversation_id=conversation_id,
            token_hash=sha256(token.encode()).digest(),
            role=terms.role,
            created_by=user_id,
            created_at=now,
            expires_at=now + terms.lifetime,
            uses_max=terms.uses_max,
        )
