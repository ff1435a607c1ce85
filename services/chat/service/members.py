"""Who is in a conversation."""

from collections.abc import Sequence

from libs.events import EventBus, Transaction
from libs.kernel import ConversationId, UserId
from services.chat.domain.conversation import Member, Role, shown_member
from services.chat.domain.errors import MemberNotFoundError, UserNotFoundError
from services.chat.domain.permissions import (
    Action,
    require_may_give,
    require_outranks,
)
from services.chat.ports import (
    ConversationRepository,
    MessageWriter,
    UserRepository,
)
from services.chat.service.access import require_access
from services.chat.service.membership import MembershipChanges
from services.chat.service.removals import Removals
from services.chat.service.transactions import run_change


class Members:
    """Use cases on membership; each change moves ``members_version``.

    Args:
        bus: Opens transactions.
        repository: Conversations and members.
        users: The projection that tells who has which handle.
        changes: Brings in and takes out.
        writer: Told when membership moved, so that it looks again.
        removals: Told who was taken out.
    """

    def __init__(
        self,
        bus: EventBus,
        repository: ConversationRepository,
        users: UserRepository,
        *,
        changes: MembershipChanges,
        writer: MessageWriter,
        removals: Removals,
    ) -> None:
        self._bus = bus
        self._repository = repository
        self._users = users
        self._changes = changes
        self._writer = writer
        self._removals = removals

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
        conversation, _ = await require_access(
            self._repository, user_id, conversation_id
        )
        found = await self._repository.members_page(
            conversation_id, after=after, limit=limit + 1
        )
        shown = [shown_member(conversation, m, user_id) for m in found[:limit]]
        return shown, shown[-1].user_id if len(found) > limit else None

    async def bots_among(self, members: Sequence[Member]) -> set[UserId]:
        """Return those of the members that are programs."""
        return await self._users.bots_among([member.user_id for member in members])

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
            AppError: See `MembershipChanges.admit`.

        Emits: conversation.member_added.
        """

        async def change(transaction: Transaction) -> Member:
            conversation, actor = await require_access(
                self._repository,
                user_id,
                conversation_id,
                Action.ADD_MEMBER,
                session=transaction.session,
            )
            require_may_give(actor.role, role)
            return await self._changes.admit(
                transaction, conversation, added_id, role, added_by=user_id
            )

        member = await run_change(self._bus, change)
        self._writer.forget(conversation_id)
        return member

    async def add_by_handle(
        self, user_id: UserId, conversation_id: ConversationId, handle: str, role: Role
    ) -> Member:
        """Bring in who has a handle; see `add`.

        Raises:
            UserNotFoundError: Nobody has the handle (yet).
        """
        await require_access(
            self._repository, user_id, conversation_id, Action.ADD_MEMBER
        )
        found = await self._users.find_by_handle(handle.lower())
        if found is None:
            raise UserNotFoundError
        return await self.add(user_id, conversation_id, found.user_id, role)

    async def remove(
        self, user_id: UserId, conversation_id: ConversationId, removed_id: UserId
    ) -> None:
        """Take somebody out, or leave.

        Nothing that is committed later reaches the removed member, and nothing of
        theirs is committed. Where the last owner leaves a project's channel, it is
        passed on; see `MembershipChanges.pass_on`.

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
            conversation, actor = await require_access(
                self._repository, user_id, conversation_id, action, session=session
            )
            target = await self._repository.get_member(
                conversation_id, removed_id, session=session
            )
            if target is None or not target.is_active:
                raise MemberNotFoundError
            if action is Action.REMOVE_MEMBER:
                require_outranks(actor.role, target.role)
            elif conversation.project_id is None:
                await self._changes.require_owner_left(target, session=session)
            else:
                conversation = await self._changes.pass_on(
                    transaction, conversation, target
                )
            removed = await self._changes.take_out(
                transaction, conversation, target, removed_by=user_id
            )
            return removed.revision

        revision = await run_change(self._bus, change)
        self._writer.forget(conversation_id)
        await self._removals.announce(conversation_id, removed_id, revision)
