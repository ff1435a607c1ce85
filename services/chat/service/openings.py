"""Opening conversations, and finding the direct one that a pair has."""

from collections.abc import Sequence

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
from services.chat.domain.amendment import Amendment, amended, checked_title
from services.chat.domain.conversation import (
    Conversation,
    ConversationKind,
    Member,
    Role,
    direct_key,
    general_id,
    pair_of,
)
from services.chat.domain.errors import (
    DraftInvalidError,
    ProjectNotFoundError,
    UserNotFoundError,
)
from services.chat.domain.limits import Limits
from services.chat.domain.rates import Rated
from services.chat.ports import ConversationRepository, MessageWriter, UserRepository
from services.chat.service.announcements import Announcements
from services.chat.service.collaborators import require_collaborators
from services.chat.service.conversations import Conversations, Membership
from services.chat.service.rates import UserLimits
from services.chat.service.recording import Act, Recorder
from services.chat.service.transactions import run_change


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation that a user asks for; the user becomes a member by itself.

    Attributes:
        amendment: What of it differs from the defaults, but for its title.
    """

    kind: ConversationKind
    title: str | None
    member_ids: tuple[UserId, ...]
    project_id: ProjectId | None = None
    amendment: Amendment = Amendment()


class Openings:
    """Opens conversations.

    Args:
        bus: Opens transactions.
        repository: Conversations and members.
        users: The projection that tells who can be brought in.
        conversations: Tells how a member sees the direct one that is there.
        writer: Told when another path than its own moved a conversation.
        announcements: Publishes the events.
        rates: How often a user opens one.
        recorder: Keeps who opened one.
        clock: Gives the times.
        limits: See `Limits`.
    """

    def __init__(
        self,
        bus: EventBus,
        repository: ConversationRepository,
        users: UserRepository,
        conversations: Conversations,
        *,
        writer: MessageWriter,
        announcements: Announcements,
        rates: UserLimits,
        recorder: Recorder,
        clock: Clock,
        limits: Limits,
    ) -> None:
        self._bus = bus
        self._repository = repository
        self._users = users
        self._conversations = conversations
        self._writer = writer
        self._announcements = announcements
        self._rates = rates
        self._recorder = recorder
        self._clock = clock
        self._limits = limits

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
            RateLimitedError: Too many conversations lately.

        Emits: conversation.created.
        """
        others = tuple(dict.fromkeys(m for m in opening.member_ids if m != user_id))
        if opening.kind is ConversationKind.DIRECT:
            existing = await self._existing_direct(user_id, opening, others)
            if existing is not None:
                return existing, False
        await self._rates.require(Rated.OPEN, user_id)
        title = checked_title(
            opening.kind, opening.title, self._limits.title_code_points
        )
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

    async def _existing_direct(
        self, user_id: UserId, opening: Opening, others: Sequence[UserId]
    ) -> Membership | None:
        if len(others) != 1:
            raise DraftInvalidError(
                "direct_needs_one", "A direct conversation has one other member."
            )
        checked_title(opening.kind, opening.title, self._limits.title_code_points)
        if opening.project_id is not None:
            raise DraftInvalidError(
                "project_not_allowed", "A direct conversation has no project."
            )
        key = direct_key(user_id, others[0])
        conversation = await self._repository.find_by_key(key)
        if conversation is None:
            return None
        found = conversation.conversation_id
        return await self._conversations.get(user_id, found)

    async def _check_members(self, others: Sequence[UserId]) -> None:
        if len(others) >= self._limits.members:
            raise DraftInvalidError(
                "too_many_members",
                f"A conversation begins with at most {self._limits.members} members.",
                limit=self._limits.members,
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
        conversation = Conversation(
            conversation_id=ConversationId(new_id()),
            kind=opening.kind,
            title=title,
            project_id=opening.project_id,
            created_by=user_id,
            created_at=self._clock.now(),
            unique_key=key,
            pair=pair,
        )
        return amended(conversation, opening.amendment, self._limits)

    async def _store(
        self, user_id: UserId, conversation: Conversation, others: Sequence[UserId]
    ) -> Membership:
        members = _first_members(user_id, conversation, others)
        project_id = conversation.project_id

        async def change(transaction: Transaction) -> Membership:
            session = transaction.session
            if project_id is not None:
                await require_collaborators(
                    self._repository, project_id, (*others, user_id), session=session
                )
            issued = await self._repository.insert(
                conversation, members, session=session
            )
            self._announcements.created(transaction, conversation, members, issued)
            await self._record(transaction, conversation, members)
            return Membership(conversation, members[0])

        opened = await run_change(self._bus, change)
        if project_id is not None:
            self._writer.forget(general_id(project_id))
        return opened

    async def _record(
        self,
        transaction: Transaction,
        conversation: Conversation,
        members: Sequence[Member],
    ) -> None:
        """Record it; that two people talk to each other is no act on anybody."""
        if conversation.kind is not ConversationKind.DIRECT:
            await self._recorder.record(
                transaction,
                Act.CREATED,
                conversation.conversation_id,
                conversation.created_by,
                kind=conversation.kind.value,
                members=len(members),
            )


def _first_members(
    user_id: UserId, conversation: Conversation, others: Sequence[UserId]
) -> list[Member]:
    """Return the members of a new conversation; who opens it comes first."""
    is_direct = conversation.kind is ConversationKind.DIRECT
    roles = {user_id: Role.MEMBER if is_direct else Role.OWNER}
    roles |= dict.fromkeys(others, Role.MEMBER)
    return [
        Member(
            conversation_id=conversation.conversation_id,
            user_id=member_id,
            role=role,
            joined_at=conversation.created_at,
            revision=conversation.revision,
        )
        for member_id, role in roles.items()
    ]
