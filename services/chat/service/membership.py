"""What changes a membership, whoever asks for it and however.

Each change takes a revision of its conversation, moves ``members_version`` and has
its event, in the caller's transaction.
"""

from collections.abc import Sequence

import msgspec

from libs.events import Transaction
from libs.events.catalog.conversation import (
    ConversationMemberAdded,
    ConversationMemberRemoved,
    ConversationRoleChanged,
)
from libs.kernel import Clock, UserId
from services.chat.domain.conversation import Conversation, Member, Role, joined
from services.chat.domain.errors import (
    DraftInvalidError,
    LastOwnerError,
    UserIsBannedError,
    UserNotFoundError,
)
from services.chat.domain.limits import Limits
from services.chat.domain.notice import Notice, NoticeType
from services.chat.ports import (
    BanRepository,
    ConversationRepository,
    Session,
    UserRepository,
)
from services.chat.service.collaborators import require_collaborators
from services.chat.service.recording import Act, Recorder
from services.chat.service.system_messages import SystemMessages

_HEIRS = (Role.ADMIN, Role.MEMBER, Role.GUEST)


class MembershipChanges:
    """Brings members in, takes them out, gives them roles.

    Args:
        repository: Conversations and members.
        users: The projection that tells who can be brought in.
        bans: Tells who cannot.
        system: Tells the others in the conversation itself.
        recorder: Keeps who did it.
        clock: Gives the times.
        limits: See `Limits`.
    """

    def __init__(
        self,
        repository: ConversationRepository,
        users: UserRepository,
        bans: BanRepository,
        *,
        system: SystemMessages,
        recorder: Recorder,
        clock: Clock,
        limits: Limits,
    ) -> None:
        self._repository = repository
        self._users = users
        self._bans = bans
        self._system = system
        self._recorder = recorder
        self._clock = clock
        self._limits = limits

    async def admit(
        self,
        transaction: Transaction,
        conversation: Conversation,
        user_id: UserId,
        role: Role,
        *,
        added_by: UserId,
        invite_id: str = "",
    ) -> Member:
        """Bring somebody in; somebody who is in already stays as is.

        Args:
            transaction: The caller's.
            conversation: Where.
            user_id: Who comes in.
            role: What they may do there.
            added_by: Who brings them in: themselves, or who made the invite.
            invite_id: By which they come in; empty: by none.

        Raises:
            UserIsBannedError: The user is kept out.
            UserNotFoundError: Unknown or not active (yet), or takes no part in the
                conversation's project.
            DraftInvalidError: ``too_many_members``.
            StaleConversationError: The conversation has moved on.

        Emits: conversation.member_added, and a system message.
        """
        session = transaction.session
        known = await self._repository.get_member(
            conversation.conversation_id, user_id, session=session
        )
        if known is not None and known.is_active:
            return known
        await self._check_new(conversation, user_id, session)
        member = joined(
            conversation,
            user_id,
            role,
            self._clock.now(),
            project_revision=known.project_revision if known else 0,
        )
        after = await store_membership(
            self._repository, conversation, member, session=session
        )
        transaction.publish(added_event(member, added_by))
        is_own = added_by == user_id
        told = NoticeType.MEMBER_JOINED if is_own else NoticeType.MEMBER_ADDED
        notice = Notice(type=told, user_id=user_id)
        await self._system.post(transaction, after, added_by, notice)
        await self._record_admission(transaction, member, added_by, invite_id)
        return member

    async def take_out(
        self,
        transaction: Transaction,
        conversation: Conversation,
        member: Member,
        *,
        removed_by: UserId | None,
    ) -> Member:
        """Take a member out, as a tombstone.

        Raises:
            StaleConversationError: The conversation has moved on.

        Emits: conversation.member_removed, and a system message where somebody did
            it: what a project decides is told by the project.
        """
        removed = msgspec.structs.replace(
            member, is_active=False, revision=conversation.revision + 1
        )
        after = await store_membership(
            self._repository, conversation, removed, session=transaction.session
        )
        transaction.publish(
            ConversationMemberRemoved(
                conversation_id=removed.conversation_id,
                revision=removed.revision,
                user_id=removed.user_id,
                removed_by=removed_by,
            )
        )
        if removed_by is not None:
            is_own = removed_by == member.user_id
            told = NoticeType.MEMBER_LEFT if is_own else NoticeType.MEMBER_REMOVED
            notice = Notice(type=told, user_id=member.user_id)
            await self._system.post(transaction, after, removed_by, notice)
        await self._recorder.record(
            transaction,
            Act.MEMBER_REMOVED,
            conversation.conversation_id,
            removed_by,
            target_id=member.user_id,
            role=str(member.role),
        )
        return removed

    async def give_roles(
        self,
        transaction: Transaction,
        conversation: Conversation,
        given: Sequence[tuple[Member, Role]],
        *,
        changed_by: UserId | None,
    ) -> tuple[Conversation, list[Member]]:
        """Give members other roles, one revision each, in the order given.

        Returns:
            The conversation and the members as they are stored now.

        Raises:
            StaleConversationError: The conversation has moved on.

        Emits: conversation.role_changed, for each.
        """
        members = [
            msgspec.structs.replace(
                member, role=role, revision=conversation.revision + number
            )
            for number, (member, role) in enumerate(given, start=1)
        ]
        after = await store_membership(
            self._repository, conversation, *members, session=transaction.session
        )
        for member, (before, _) in zip(members, given, strict=True):
            transaction.publish(role_event(member, changed_by))
            await self._recorder.record(
                transaction,
                Act.ROLE_CHANGED,
                conversation.conversation_id,
                changed_by,
                target_id=member.user_id,
                role=str(member.role),
                role_before=str(before.role),
            )
        return after, members

    async def require_owner_left(self, member: Member, *, session: Session) -> None:
        """Refuse to let the last owner go while others stay.

        Raises:
            LastOwnerError: Another member must become owner first.
        """
        is_last = await self.is_last_owner(member, session=session)
        if is_last and await self._heir(member, session):
            raise LastOwnerError

    async def pass_on(
        self, transaction: Transaction, conversation: Conversation, leaving: Member
    ) -> Conversation:
        """Give a conversation another owner before its last one goes.

        The heir is who has been in it longest of the highest role there is: an
        admin, else a member, else a guest. Where nobody is left nothing happens.

        Returns:
            The conversation as it is stored now.

        Raises:
            StaleConversationError: The conversation has moved on.

        Emits: conversation.role_changed, by nobody.
        """
        session = transaction.session
        if not await self.is_last_owner(leaving, session=session):
            return conversation
        heir = await self._heir(leaving, session)
        if heir is None:
            return conversation
        after, _ = await self.give_roles(
            transaction, conversation, [(heir, Role.OWNER)], changed_by=None
        )
        return after

    async def is_last_owner(self, member: Member, *, session: Session) -> bool:
        """Tell whether a member is the only owner there is."""
        if member.role is not Role.OWNER or not member.is_active:
            return False
        owners = await self._repository.count_members(
            member.conversation_id, role=Role.OWNER, session=session
        )
        return owners == 1

    async def _record_admission(
        self, transaction: Transaction, member: Member, added_by: UserId, invite_id: str
    ) -> None:
        """Record who came in: who comes by an invite does it themselves."""
        by_invite = {"invite_id": invite_id} if invite_id else {}
        await self._recorder.record(
            transaction,
            Act.MEMBER_ADDED,
            member.conversation_id,
            member.user_id if invite_id else added_by,
            target_id=member.user_id,
            role=str(member.role),
            **by_invite,
        )

    async def _heir(self, leaving: Member, session: Session) -> Member | None:
        for role in _HEIRS:
            heir = await self._repository.longest_member(
                leaving.conversation_id, role, session=session
            )
            if heir is not None:
                return heir
        return None

    async def _check_new(
        self, conversation: Conversation, added_id: UserId, session: Session
    ) -> None:
        place = conversation.conversation_id
        if await self._bans.get(place, added_id, session=session) is not None:
            raise UserIsBannedError
        if not await self._users.active_among([added_id], session=session):
            raise UserNotFoundError
        count = await self._repository.count_members(place, session=session)
        if count >= self._limits.members:
            raise DraftInvalidError(
                "too_many_members",
                f"A conversation has at most {self._limits.members} members.",
                limit=self._limits.members,
            )
        if conversation.project_id is not None:
            await require_collaborators(
                self._repository, conversation.project_id, [added_id], session=session
            )


def added_event(member: Member, added_by: UserId | None) -> ConversationMemberAdded:
    """Return the event of somebody who came in."""
    return ConversationMemberAdded(
        conversation_id=member.conversation_id,
        revision=member.revision,
        user_id=member.user_id,
        role=member.role,
        added_by=added_by,
    )


def role_event(member: Member, changed_by: UserId | None) -> ConversationRoleChanged:
    """Return the event of a member's other role."""
    return ConversationRoleChanged(
        conversation_id=member.conversation_id,
        revision=member.revision,
        user_id=member.user_id,
        role=member.role,
        changed_by=changed_by,
    )


async def store_membership(
    repository: ConversationRepository,
    conversation: Conversation,
    *members: Member,
    session: Session,
) -> Conversation:
    """Store changed memberships and the conversation, one revision later for each.

    Raises:
        StaleConversationError: The conversation has moved on.
    """
    after = msgspec.structs.replace(
        conversation,
        revision=conversation.revision + len(members),
        members_version=conversation.members_version + 1,
    )
    await repository.replace(after, before=conversation, session=session)
    for member in members:
        await repository.put_member(member, session=session)
    return after
