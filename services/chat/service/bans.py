"""Who may not come into a conversation."""

import msgspec

from libs.events import EventBus, Transaction
from libs.kernel import Clock, ConversationId, UserId
from services.chat.domain.ban import Ban
from services.chat.domain.conversation import Conversation, Member
from services.chat.domain.errors import (
    BanNotFoundError,
    DraftInvalidError,
    NotPermittedError,
    UserNotFoundError,
)
from services.chat.domain.limits import Limits
from services.chat.domain.permissions import Action, require_outranks
from services.chat.ports import (
    BanRepository,
    ConversationRepository,
    MessageWriter,
    Session,
    UserRepository,
)
from services.chat.service.access import require_access
from services.chat.service.membership import MembershipChanges
from services.chat.service.recording import Act, Recorder
from services.chat.service.removals import Removals
from services.chat.service.transactions import run_change


class Bans:
    """Use cases on bans.

    Args:
        bus: Opens transactions.
        repository: Conversations and members.
        users: Tells whom there is to ban.
        bans: Where they are kept.
        changes: Takes out who is banned.
        writer: Told when membership moved.
        removals: Told who was taken out.
        recorder: Keeps who did it.
        clock: Gives the times.
        limits: See `Limits`.
    """

    def __init__(
        self,
        bus: EventBus,
        repository: ConversationRepository,
        users: UserRepository,
        bans: BanRepository,
        *,
        changes: MembershipChanges,
        writer: MessageWriter,
        removals: Removals,
        recorder: Recorder,
        clock: Clock,
        limits: Limits,
    ) -> None:
        self._bus = bus
        self._repository = repository
        self._users = users
        self._bans = bans
        self._changes = changes
        self._writer = writer
        self._removals = removals
        self._recorder = recorder
        self._clock = clock
        self._limits = limits

    async def page(
        self,
        user_id: UserId,
        conversation_id: ConversationId,
        *,
        after: str,
        limit: int,
    ) -> tuple[list[Ban], str | None]:
        """Return the bans in the order of their user ids, and where to go on.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
            NotPermittedError: The role does not allow it.
        """
        await require_access(self._repository, user_id, conversation_id, Action.BAN)
        found = await self._bans.page(conversation_id, after=after, limit=limit + 1)
        shown = found[:limit]
        return shown, shown[-1].user_id if len(found) > limit else None

    async def ban(
        self, user_id: UserId, conversation_id: ConversationId, banned_id: UserId
    ) -> Ban:
        """Keep somebody out, and take them out if they are in.

        Who is banned already stays so.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
            NotPermittedError: The role does not allow it, or it is oneself.
            UserNotFoundError: There is no such user.
            DraftInvalidError: ``too_many_bans``.

        Emits: conversation.member_removed, if they were in.
        """
        if banned_id == user_id:
            raise NotPermittedError(Action.BAN)

        async def change(transaction: Transaction) -> tuple[Ban, int]:
            session = transaction.session
            conversation, actor = await require_access(
                self._repository, user_id, conversation_id, Action.BAN, session=session
            )
            known = await self._bans.get(conversation_id, banned_id, session=session)
            if known is not None:
                return known, 0
            target = await self._repository.get_member(
                conversation_id, banned_id, session=session
            )
            if target is not None and target.is_active:
                require_outranks(actor.role, target.role)
            ban = await self._new(conversation_id, banned_id, user_id, session)
            await self._bans.put(ban, session=session)
            await self._record(transaction, Act.USER_BANNED, ban, user_id)
            return ban, await self._keep_out(transaction, conversation, target, user_id)

        ban, revision = await run_change(self._bus, change)
        self._writer.forget(conversation_id)
        if revision:
            await self._removals.announce(conversation_id, banned_id, revision)
        return ban

    async def lift(
        self, user_id: UserId, conversation_id: ConversationId, banned_id: UserId
    ) -> None:
        """Let somebody come in again; it brings nobody in.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
            NotPermittedError: The role does not allow it.
            BanNotFoundError: The user is not banned.
        """

        async def change(transaction: Transaction) -> None:
            session = transaction.session
            await require_access(
                self._repository, user_id, conversation_id, Action.BAN, session=session
            )
            ban = await self._bans.get(conversation_id, banned_id, session=session)
            if ban is None:
                raise BanNotFoundError
            await self._bans.remove(conversation_id, banned_id, session=session)
            await self._record(transaction, Act.BAN_LIFTED, ban, user_id)

        await run_change(self._bus, change)

    async def _record(
        self, transaction: Transaction, act: Act, ban: Ban, user_id: UserId
    ) -> None:
        await self._recorder.record(
            transaction, act, ban.conversation_id, user_id, target_id=ban.user_id
        )

    async def _new(
        self,
        conversation_id: ConversationId,
        banned_id: UserId,
        user_id: UserId,
        session: Session,
    ) -> Ban:
        if await self._users.get(banned_id, session=session) is None:
            raise UserNotFoundError
        count = await self._bans.count(conversation_id, session=session)
        if count >= self._limits.bans:
            raise DraftInvalidError(
                "too_many_bans",
                f"A conversation has at most {self._limits.bans} bans.",
                limit=self._limits.bans,
            )
        return Ban(
            conversation_id=conversation_id,
            user_id=banned_id,
            banned_by=user_id,
            banned_at=self._clock.now(),
        )

    async def _keep_out(
        self,
        transaction: Transaction,
        conversation: Conversation,
        target: Member | None,
        user_id: UserId,
    ) -> int:
        """Take out who is in; return the revision of it, or 0.

        Moving ``members_version`` in any case makes an admission that runs at the
        same time wait for this transaction or end it.
        """
        if target is not None and target.is_active:
            removed = await self._changes.take_out(
                transaction, conversation, target, removed_by=user_id
            )
            return removed.revision
        held = msgspec.structs.replace(
            conversation, members_version=conversation.members_version + 1
        )
        await self._repository.replace(
            held, before=conversation, session=transaction.session
        )
        return 0
