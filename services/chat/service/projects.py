"""A project's channel ``general``, from ``project.*`` events alone.

Events may come in any order and more than once: whichever is first opens the
channel, and each membership keeps the revision of the last fact applied to it.
"""

import msgspec

from libs.events import Transaction
from libs.events.catalog.conversation import (
    ConversationMemberAdded,
    ConversationMemberRemoved,
    ConversationRoleChanged,
)
from libs.kernel import Clock, ConflictError, ProjectId, UserId
from services.chat.domain.conversation import (
    Conversation,
    ConversationKind,
    Member,
    Role,
    general_id,
    general_key,
)
from services.chat.domain.errors import ConversationBusyError
from services.chat.ports import ConversationRepository, MessageWriter
from services.chat.service.announcements import Announcements
from services.chat.service.members import store_membership

TITLE = "general"
_ROLES = {"owner": Role.OWNER, "admin": Role.ADMIN, "collaborator": Role.MEMBER}


class ProjectChannels:
    """Keeps the channels of projects as their events tell.

    Args:
        repository: Conversations and members.
        writer: Told when membership moved.
        announcements: Publishes the events.
        clock: Gives the times.
    """

    def __init__(
        self,
        repository: ConversationRepository,
        *,
        writer: MessageWriter,
        announcements: Announcements,
        clock: Clock,
    ) -> None:
        self._repository = repository
        self._writer = writer
        self._announcements = announcements
        self._clock = clock

    async def put_collaborator(
        self,
        transaction: Transaction,
        project_id: ProjectId,
        user_id: UserId,
        *,
        role: str,
        revision: int,
    ) -> None:
        """Make a collaborator a member, or change the member's role.

        The user need not be known to chat yet.

        Args:
            transaction: The event's own.
            project_id: Whose channel.
            user_id: Who.
            role: owner, admin or collaborator.
            revision: The project's; a fact that is not newer changes nothing.

        Emits: conversation.member_added or conversation.role_changed.
        """
        conversation = await self._channel(transaction, project_id)
        known = await self._member(transaction, conversation, user_id)
        if known is not None and known.project_revision >= revision:
            return
        given = _ROLES.get(role, Role.MEMBER)
        member = self._joined(conversation, user_id, given, revision)
        if known is not None and known.is_active:
            member = msgspec.structs.replace(
                member, joined_at=known.joined_at, read_seq=known.read_seq
            )
        await self._store(transaction, conversation, member)
        is_new = known is None or not known.is_active
        transaction.publish(_added(member) if is_new else _role_changed(member))

    async def remove_collaborator(
        self,
        transaction: Transaction,
        project_id: ProjectId,
        user_id: UserId,
        *,
        revision: int,
    ) -> None:
        """Take a collaborator out; one that was never in leaves a tombstone.

        The tombstone keeps an older "added" that comes later from undoing it.

        Emits: conversation.member_removed.
        """
        conversation = await self._channel(transaction, project_id)
        known = await self._member(transaction, conversation, user_id)
        if known is not None and known.project_revision >= revision:
            return
        base = known or self._joined(conversation, user_id, Role.MEMBER, revision)
        member = msgspec.structs.replace(
            base,
            is_active=False,
            revision=conversation.revision + 1,
            project_revision=revision,
        )
        await self._store(transaction, conversation, member)
        transaction.publish(
            ConversationMemberRemoved(
                conversation_id=conversation.conversation_id,
                revision=member.revision,
                user_id=user_id,
                removed_by=None,
            )
        )

    async def archive(
        self,
        transaction: Transaction,
        project_id: ProjectId,
        *,
        is_archived: bool,
        revision: int,
    ) -> None:
        """Make the channel read-only, or bring it back.

        Emits: conversation.archived.
        """
        conversation = await self._channel(transaction, project_id)
        if revision <= conversation.project_revision:
            return
        next_revision = conversation.revision + 1
        after = msgspec.structs.replace(
            conversation,
            is_archived=is_archived,
            project_revision=revision,
            revision=next_revision,
            changed_revision=next_revision,
        )
        await self._repository.replace(
            after, before=conversation, session=transaction.session
        )
        self._announcements.archived(transaction, after, None)
        self._writer.forget(after.conversation_id)

    async def _channel(
        self, transaction: Transaction, project_id: ProjectId
    ) -> Conversation:
        """Return the project's channel, opening it without members if need be."""
        conversation_id = general_id(project_id)
        session = transaction.session
        known = await self._repository.get(conversation_id, session=session)
        if known is not None:
            return known
        conversation = Conversation(
            conversation_id=conversation_id,
            kind=ConversationKind.CHANNEL,
            title=TITLE,
            project_id=project_id,
            created_by=None,
            created_at=self._clock.now(),
            is_managed=True,
            unique_key=general_key(project_id),
        )
        try:
            await self._repository.insert(conversation, [], session=session)
        except ConflictError as error:  # another process handles another event of it
            raise ConversationBusyError from error
        self._announcements.created(transaction, conversation, [])
        return conversation

    async def _member(
        self, transaction: Transaction, conversation: Conversation, user_id: UserId
    ) -> Member | None:
        return await self._repository.get_member(
            conversation.conversation_id, user_id, session=transaction.session
        )

    def _joined(
        self, conversation: Conversation, user_id: UserId, role: Role, revision: int
    ) -> Member:
        return Member(
            conversation_id=conversation.conversation_id,
            user_id=user_id,
            role=role,
            joined_at=self._clock.now(),
            revision=conversation.revision + 1,
            read_seq=conversation.last_seq,
            project_revision=revision,
        )

    async def _store(
        self, transaction: Transaction, conversation: Conversation, member: Member
    ) -> None:
        await store_membership(
            self._repository, conversation, member, session=transaction.session
        )
        self._writer.forget(conversation.conversation_id)


def _added(member: Member) -> ConversationMemberAdded:
    return ConversationMemberAdded(
        conversation_id=member.conversation_id,
        revision=member.revision,
        user_id=member.user_id,
        role=member.role,
        added_by=None,
    )


def _role_changed(member: Member) -> ConversationRoleChanged:
    return ConversationRoleChanged(
        conversation_id=member.conversation_id,
        revision=member.revision,
        user_id=member.user_id,
        role=member.role,
        changed_by=member.user_id,
    )
