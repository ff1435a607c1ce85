"""Opening, reading and changing conversations."""

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from libs.events import EventBus, Transaction
from libs.kernel import (
    Clock,
    ConflictError,
    ConversationId,
    ProjectId,
    UserId,
    new_id,
)
from services.chat.domain.conversation import (
    Conversation,
    ConversationKind,
    Member,
    Role,
    checked_title,
    direct_key,
    general_id,
    pair_of,
)
from services.chat.domain.errors import (
    ConversationNotFoundError,
    DraftInvalidError,
    ProjectNotFoundError,
    UserNotFoundError,
)
from services.chat.domain.permissions import Action, require
from services.chat.ports import (
    ConversationRepository,
    JoinedAt,
    MessageWriter,
    Session,
    UserRepository,
)
from services.chat.service.announcements import Announcements
from services.chat.service.collaborators import (
    require_collaborators,
    require_project_open,
)
from services.chat.service.transactions import run_change


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation that a user asks for; the user becomes a member by itself."""

    kind: ConversationKind
    title: str | None
    member_ids: tuple[UserId, ...]
    project_id: ProjectId | None = None


class Membership(msgspec.Struct, frozen=True):
    """A conversation as one member sees it."""

    conversation: Conversation
    member: Member


Change = Callable[[Transaction], Awaitable[Membership]]


class Conversations:
    """Use cases on conversations.

    Args:
        bus: Opens transactions.
        repository: Conversations and members.
        users: The projection that tells who can be brought in.
        writer: Told when another path than its own moved a conversation.
        announcements: Publishes the events.
        clock: Gives the times.
        members_max: Members of a new conversation at most.
    """

    def __init__(
        self,
        bus: EventBus,
        repository: ConversationRepository,
        users: UserRepository,
        *,
        writer: MessageWriter,
        announcements: Announcements,
        clock: Clock,
        members_max: int = 1_000,
    ) -> None:
        self._bus = bus
        self._repository = repository
        self._users = users
        self._writer = writer
        self._announcements = announcements
        self._clock = clock
        self._members_max = members_max

    async def open(self, user_id: UserId, opening: Opening) -> tuple[Membership, bool]:
        """Open a conversation, or find the direct one that a pair has.

        Returns:
            The conversation as the user sees it, and whether it is new.

        Raises:
            DraftInvalidError: Title, project or members do not suit the kind.
            UserNotFoundError: Somebody is unknown, or cannot take part (yet).
                Everybody in a project's channel takes part in the project.
            ProjectNotFoundError: The user has no part in the project.
            ProjectIsArchivedError: It was archived or deleted.

        Emits: conversation.created.
        """
        others = tuple(dict.fromkeys(m for m in opening.member_ids if m != user_id))
        if opening.kind is ConversationKind.DIRECT:
            existing = await self._existing_direct(user_id, opening, others)
            if existing is not None:
                return existing, False
        title = checked_title(opening.kind, opening.title)
        await self._check_members(others)
        await self._check_project(user_id, opening)
        opened = self._opened(user_id, opening, title)
        try:
            return await self._store(user_id, opened, others), True
        except ConflictError:
            if opening.kind is not ConversationKind.DIRECT:
                raise
            # The other half of the pair was faster.
            existing = await self._existing_direct(user_id, opening, others)
            if existing is None:
                raise
            return existing, False

    async def get(self, user_id: UserId, conversation_id: ConversationId) -> Membership:
        """Return a conversation as a member sees it.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
        """
        return await self._membership(user_id, conversation_id, Action.READ)

    async def get_among(
        self, user_id: UserId, conversation_ids: Sequence[ConversationId]
    ) -> dict[ConversationId, Membership]:
        """Return those of the conversations that the user is a member of.

        Two reads, however many they are. Membership is read after the conversations:
        who was removed before the revision that is returned is never a member.
        """
        found = await self._repository.get_many(conversation_ids)
        members = await self._repository.memberships_in(
            user_id, [conversation.conversation_id for conversation in found]
        )
        by_id = {conversation.conversation_id: conversation for conversation in found}
        return {
            member.conversation_id: Membership(by_id[member.conversation_id], member)
            for member in members
        }

    async def require_member(
        self, user_id: UserId, conversation_id: ConversationId
    ) -> None:
        """Check in one read that a user is a member now.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
        """
        if not await self._repository.members_among(conversation_id, [user_id]):
            raise ConversationNotFoundError

    async def page(
        self, user_id: UserId, *, before: JoinedAt | None, limit: int
    ) -> tuple[list[Membership], JoinedAt | None]:
        """Return a user's conversations, the last joined first, and where to go on."""
        memberships = await self._repository.memberships_page(
            user_id, before=before, limit=limit + 1
        )
        shown = memberships[:limit]
        found = await self._repository.get_many([m.conversation_id for m in shown])
        by_id = {conversation.conversation_id: conversation for conversation in found}
        page = [
            Membership(by_id[member.conversation_id], member)
            for member in shown
            if member.conversation_id in by_id
        ]
        if len(memberships) <= limit:
            return page, None
        return page, JoinedAt(shown[-1].joined_at, shown[-1].conversation_id)

    async def rename(
        self, user_id: UserId, conversation_id: ConversationId, title: str
    ) -> Membership:
        """Give a conversation another title; the same one changes nothing.

        Raises:
            ConversationNotFoundError: See `get`.
            NotPermittedError: The role does not allow it.
            DraftInvalidError: See `checked_title`.

        Emits: conversation.updated.
        """

        async def change(transaction: Transaction) -> Membership:
            before = await self._membership(
                user_id, conversation_id, Action.UPDATE, session=transaction.session
            )
            checked = checked_title(before.conversation.kind, title)
            if checked == before.conversation.title:
                return before
            after = _moved(before.conversation, title=checked)
            await self._repository.replace(
                after, before=before.conversation, session=transaction.session
            )
            self._announcements.updated(transaction, after, user_id)
            return Membership(after, before.member)

        return await self._changed(conversation_id, change)

    async def archive(
        self,
        user_id: UserId,
        conversation_id: ConversationId,
        *,
        is_archived: bool,
    ) -> Membership:
        """Make a conversation read-only, or bring it back.

        Raises:
            ConversationNotFoundError: See `get`.
            NotPermittedError: The role does not allow it.
            ProjectIsArchivedError: Its project is archived.

        Emits: conversation.archived.
        """

        async def change(transaction: Transaction) -> Membership:
            before = await self._membership(
                user_id, conversation_id, Action.ARCHIVE, session=transaction.session
            )
            if before.conversation.is_archived == is_archived:
                return before
            project_id = before.conversation.project_id
            if project_id is not None and not is_archived:
                await require_project_open(
                    self._repository, project_id, session=transaction.session
                )
            after = _moved(
                before.conversation,
                is_archived=is_archived,
                is_archived_by_project=False,
            )
            await self._repository.replace(
                after, before=before.conversation, session=transaction.session
            )
            self._announcements.archived(transaction, after, user_id)
            return Membership(after, before.member)

        return await self._changed(conversation_id, change)

    async def _changed(
        self,
        conversation_id: ConversationId,
        change: Change,
    ) -> Membership:
        result = await run_change(self._bus, change)
        self._writer.forget(conversation_id)
        return result

    async def _membership(
        self,
        user_id: UserId,
        conversation_id: ConversationId,
        action: Action,
        *,
        session: Session = None,
    ) -> Membership:
        repository = self._repository
        conversation = await repository.get(conversation_id, session=session)
        if conversation is None:
            raise ConversationNotFoundError
        member = await repository.get_member(conversation_id, user_id, session=session)
        require(conversation, member, action)
        if member is None:  # `require` has refused already; this tells the type
            raise ConversationNotFoundError
        return Membership(conversation, member)

    async def _existing_direct(
        self, user_id: UserId, opening: Opening, others: Sequence[UserId]
    ) -> Membership | None:
        if len(others) != 1:
            raise DraftInvalidError(
                "direct_needs_one", "A direct conversation has one other member."
            )
        checked_title(opening.kind, opening.title)
        if opening.project_id is not None:
            raise DraftInvalidError(
                "project_not_allowed", "A direct conversation has no project."
            )
        key = direct_key(user_id, others[0])
        conversation = await self._repository.find_by_key(key)
        if conversation is None:
            return None
        return await self.get(user_id, conversation.conversation_id)

    async def _check_members(self, others: Sequence[UserId]) -> None:
        if len(others) >= self._members_max:
            raise DraftInvalidError(
                "too_many_members",
                f"A conversation begins with at most {self._members_max} members.",
                limit=self._members_max,
            )
        if await self._users.active_among(others) != set(others):
            raise UserNotFoundError

    async def _check_project(self, user_id: UserId, opening: Opening) -> None:
        """Only a channel may belong to a project, and only a collaborator opens it.

        The project's channel ``general`` is chat's own copy of who takes part.
        """
        if opening.project_id is None:
            return
        if opening.kind is not ConversationKind.CHANNEL:
            raise DraftInvalidError(
                "project_not_allowed", "Only a channel belongs to a project."
            )
        general = general_id(opening.project_id)
        if not await self._repository.members_among(general, [user_id]):
            raise ProjectNotFoundError

    def _opened(
        self, user_id: UserId, opening: Opening, title: str | None
    ) -> Conversation:
        key: str | None = None
        pair: tuple[UserId, ...] = ()
        if opening.kind is ConversationKind.DIRECT:
            other = next(m for m in opening.member_ids if m != user_id)
            key, pair = direct_key(user_id, other), pair_of(user_id, other)
        return Conversation(
            conversation_id=ConversationId(new_id()),
            kind=opening.kind,
            title=title,
            project_id=opening.project_id,
            created_by=user_id,
            created_at=self._clock.now(),
            unique_key=key,
            pair=pair,
        )

    async def _store(
        self, user_id: UserId, conversation: Conversation, others: Sequence[UserId]
    ) -> Membership:
        is_direct = conversation.kind is ConversationKind.DIRECT
        roles = {user_id: Role.MEMBER if is_direct else Role.OWNER}
        roles |= dict.fromkeys(others, Role.MEMBER)
        members = [
            Member(
                conversation_id=conversation.conversation_id,
                user_id=member_id,
                role=role,
                joined_at=conversation.created_at,
                revision=conversation.revision,
            )
            for member_id, role in roles.items()
        ]

        project_id = conversation.project_id

        async def change(transaction: Transaction) -> Membership:
            session = transaction.session
            if project_id is not None:
                await require_collaborators(
                    self._repository, project_id, roles, session=session
                )
            await self._repository.insert(conversation, members, session=session)
            self._announcements.created(transaction, conversation, members)
            return Membership(conversation, members[0])

        opened = await run_change(self._bus, change)
        if project_id is not None:
            self._writer.forget(general_id(project_id))
        return opened


def _moved(conversation: Conversation, **fields: object) -> Conversation:
    """Return the conversation one revision later, with other fields of its own."""
    revision = conversation.revision + 1
    return msgspec.structs.replace(
        conversation, revision=revision, changed_revision=revision, **fields
    )
