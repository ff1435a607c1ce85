"""Who is in a conversation."""

import msgspec

from libs.events import EventBus, Transaction
from libs.events.catalog.conversation import (
    ConversationMemberAdded,
    ConversationMemberRemoved,
)
from libs.kernel import Clock, ConversationId, UserId
from services.chat.domain.conversation import Conversation, Member, Role, joined
from services.chat.domain.errors import (
    ConversationNotFoundError,
    DraftInvalidError,
    LastOwnerError,
    MemberNotFoundError,
    UserNotFoundError,
)
from services.chat.domain.limits import Limits
from services.chat.domain.permissions import (
    Action,
    require,
    require_may_give,
    require_outranks,
)
from services.chat.ports import (
    ConversationRepository,
    MessageWriter,
    Session,
    UserRepository,
)
from services.chat.service.collaborators import require_collaborators
from services.chat.service.removals import Removals
from services.chat.service.transactions import run_change


class Members:
    """Use cases on membership; each change moves ``members_version``.

    Args:
        bus: Opens transactions.
        repository: Conversations and members.
        users: The projection that tells who can be brought in.
        writer: Told when membership moved, so that it looks again.
        removals: Told who was taken out.
        clock: Gives the times.
        limits: See `Limits`.
    """

    def __init__(
        self,
        bus: EventBus,
        repository: ConversationRepository,
        users: UserRepository,
        *,
        writer: MessageWriter,
        removals: Removals,
        clock: Clock,
        limits: Limits,
    ) -> None:
        self._bus = bus
        self._repository = repository
        self._users = users
        self._writer = writer
        self._removals = removals
        self._clock = clock
        self._limits = limits

    async def page(
        self,
        user_id: UserId,
        conversation_id: ConversationId,
        *,
        after: str,
        limit: int,
    ) -> tuple[list[Member], str | None]:
        """Return the members in the order of their ids, and where to go on.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
        """
        await self._actor(user_id, conversation_id, Action.READ, None)
        found = await self._repository.members_page(
            conversation_id, after=after, limit=limit + 1
        )
        shown = found[:limit]
        return shown, shown[-1].user_id if len(found) > limit else None

    async def add(
        self,
        user_id: UserId,
        conversation_id: ConversationId,
        added_id: UserId,
        role: Role,
    ) -> Member:
        """Bring somebody in; somebody who is in already stays as is.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
            NotPermittedError: The user may not add, or not give this role.
            UserNotFoundError: The other is unknown or not active (yet), or takes no
                part in the conversation's project.
            DraftInvalidError: ``too_many_members``.

        Emits: conversation.member_added.
        """

        async def change(transaction: Transaction) -> Member:
            session = transaction.session
            conversation, actor = await self._actor(
                user_id, conversation_id, Action.ADD_MEMBER, session
            )
            require_may_give(actor.role, role)
            known = await self._known(conversation_id, added_id, session)
            if known is not None and known.is_active:
                return known
            await self._check_new(conversation, added_id, session)
            member = joined(
                conversation,
                added_id,
                role,
                self._clock.now(),
                project_revision=known.project_revision if known else 0,
            )
            await store_membership(
                self._repository, conversation, member, session=session
            )
            transaction.publish(_added(member, user_id))
            return member

        member = await run_change(self._bus, change)
        self._writer.forget(conversation_id)
        return member

    async def remove(
        self, user_id: UserId, conversation_id: ConversationId, removed_id: UserId
    ) -> None:
        """Take somebody out, or leave.

        Nothing that is committed later reaches the removed member, and nothing of
        theirs is committed.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
            MemberNotFoundError: The other is not a member.
            NotPermittedError: The role does not allow it.
            LastOwnerError: Others would be left without an owner.

        Emits: conversation.member_removed.
        """
        action = Action.LEAVE if removed_id == user_id else Action.REMOVE_MEMBER

        async def change(transaction: Transaction) -> int:
            session = transaction.session
            conversation, actor = await self._actor(
                user_id, conversation_id, action, session
            )
            target = await self._known(conversation_id, removed_id, session)
            if target is None or not target.is_active:
                raise MemberNotFoundError
            if action is Action.REMOVE_MEMBER:
                require_outranks(actor.role, target.role)
            await self._check_owner_left(target, session)
            member = msgspec.structs.replace(
                target, is_active=False, revision=conversation.revision + 1
            )
            await store_membership(
                self._repository, conversation, member, session=session
            )
            transaction.publish(_removed(member, user_id))
            return member.revision

        revision = await run_change(self._bus, change)
        self._writer.forget(conversation_id)
        await self._removals.announce(conversation_id, removed_id, revision)

    async def _actor(
        self,
        user_id: UserId,
        conversation_id: ConversationId,
        action: Action,
        session: Session,
    ) -> tuple[Conversation, Member]:
        conversation = await self._repository.get(conversation_id, session=session)
        if conversation is None:
            raise ConversationNotFoundError
        member = await self._known(conversation_id, user_id, session)
        require(conversation, member, action)
        if member is None:  # `require` has refused already; this tells the type
            raise ConversationNotFoundError
        return conversation, member

    async def _known(
        self, conversation_id: ConversationId, user_id: UserId, session: Session
    ) -> Member | None:
        return await self._repository.get_member(
            conversation_id, user_id, session=session
        )

    async def _check_new(
        self, conversation: Conversation, added_id: UserId, session: Session
    ) -> None:
        repository = self._repository
        if not await self._users.active_among([added_id], session=session):
            raise UserNotFoundError
        count = await repository.count_members(
            conversation.conversation_id, session=session
        )
        if count >= self._limits.members:
            raise DraftInvalidError(
                "too_many_members",
                f"A conversation has at most {self._limits.members} members.",
                limit=self._limits.members,
            )
        if conversation.project_id is not None:
            await require_collaborators(
                repository, conversation.project_id, [added_id], session=session
            )

    async def _check_owner_left(self, target: Member, session: Session) -> None:
        if target.role is not Role.OWNER:
            return
        conversation_id = target.conversation_id
        owners = await self._repository.count_members(
            conversation_id, role=Role.OWNER, session=session
        )
        everybody = await self._repository.count_members(
            conversation_id, session=session
        )
        if owners == 1 and everybody > 1:
            raise LastOwnerError


def _added(member: Member, added_by: UserId) -> ConversationMemberAdded:
    return ConversationMemberAdded(
        conversation_id=member.conversation_id,
        revision=member.revision,
        user_id=member.user_id,
        role=member.role,
        added_by=added_by,
    )


def _removed(member: Member, removed_by: UserId) -> ConversationMemberRemoved:
    return ConversationMemberRemoved(
        conversation_id=member.conversation_id,
        revision=member.revision,
        user_id=member.user_id,
        removed_by=removed_by,
    )


async def store_membership(
    repository: ConversationRepository,
    conversation: Conversation,
    member: Member,
    *,
    session: Session,
) -> Conversation:
    """Store a changed membership and the conversation one revision later.

    Raises:
        StaleConversationError: The conversation has moved on.
    """
    after = msgspec.structs.replace(
        conversation,
        revision=conversation.revision + 1,
        members_version=conversation.members_version + 1,
    )
    await repository.replace(after, before=conversation, session=session)
    await repository.put_member(member, session=session)
    return after
