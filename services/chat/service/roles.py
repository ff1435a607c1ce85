"""What members may do: roles and ownership."""

from libs.events import EventBus, Transaction
from libs.kernel import ConversationId, UserId
from services.chat.domain.conversation import Member, Role
from services.chat.domain.errors import LastOwnerError, MemberNotFoundError
from services.chat.domain.permissions import Action, require_may_give
from services.chat.ports import ConversationRepository, MessageWriter, Session
from services.chat.service.access import require_access
from services.chat.service.membership import MembershipChanges
from services.chat.service.recording import Act, Recorder
from services.chat.service.transactions import run_change


class Roles:
    """Use cases on roles; each change moves ``members_version``.

    Args:
        bus: Opens transactions.
        repository: Conversations and members.
        changes: Gives the roles.
        recorder: Keeps who passed the ownership on.
        writer: Told when a role moved, so that it looks again.
    """

    def __init__(
        self,
        bus: EventBus,
        repository: ConversationRepository,
        *,
        changes: MembershipChanges,
        recorder: Recorder,
        writer: MessageWriter,
    ) -> None:
        self._bus = bus
        self._repository = repository
        self._changes = changes
        self._recorder = recorder
        self._writer = writer

    async def change(
        self,
        user_id: UserId,
        conversation_id: ConversationId,
        target_id: UserId,
        role: Role,
    ) -> Member:
        """Give a member another role; the one they have changes nothing.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
            NotPermittedError: The role does not allow it.
            MemberNotFoundError: The other is not a member.
            LastOwnerError: The conversation would be left without an owner.

        Emits: conversation.role_changed.
        """

        async def change(transaction: Transaction) -> Member:
            session = transaction.session
            conversation, actor = await require_access(
                self._repository,
                user_id,
                conversation_id,
                Action.CHANGE_ROLE,
                session=session,
            )
            target = await self._active(conversation_id, target_id, session)
            require_may_give(actor.role, role)
            if target.role is role:
                return target
            if await self._changes.is_last_owner(target, session=session):
                raise LastOwnerError
            _, (changed,) = await self._changes.give_roles(
                transaction, conversation, [(target, role)], changed_by=user_id
            )
            return changed

        changed = await run_change(self._bus, change)
        self._writer.forget(conversation_id)
        return changed

    async def transfer(
        self, user_id: UserId, conversation_id: ConversationId, heir_id: UserId
    ) -> Member:
        """Make another member owner in one's place, and become an admin.

        Returns:
            The new owner's membership.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
            NotPermittedError: The user is no owner.
            MemberNotFoundError: The heir is no other member.

        Emits: conversation.role_changed, for each of both whose role changes.
        """

        async def change(transaction: Transaction) -> Member:
            session = transaction.session
            conversation, actor = await require_access(
                self._repository,
                user_id,
                conversation_id,
                Action.TRANSFER,
                session=session,
            )
            heir = await self._active(conversation_id, heir_id, session)
            if heir_id == user_id:
                raise MemberNotFoundError
            given = [(heir, Role.OWNER), (actor, Role.ADMIN)]
            _, (first, *_) = await self._changes.give_roles(
                transaction,
                conversation,
                [(member, role) for member, role in given if member.role is not role],
                changed_by=user_id,
            )
            await self._record(transaction, heir, user_id)
            return first if first.user_id == heir_id else heir

        heir = await run_change(self._bus, change)
        self._writer.forget(conversation_id)
        return heir

    async def _record(
        self, transaction: Transaction, heir: Member, user_id: UserId
    ) -> None:
        place, act = heir.conversation_id, Act.OWNER_CHANGED
        await self._recorder.record(
            transaction, act, place, user_id, target_id=heir.user_id
        )

    async def _active(
        self, conversation_id: ConversationId, user_id: UserId, session: Session
    ) -> Member:
        member = await self._repository.get_member(
            conversation_id, user_id, session=session
        )
        if member is None or not member.is_active:
            raise MemberNotFoundError
        return member
