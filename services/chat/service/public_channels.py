"""Channels that are listed, and open to join."""

import msgspec

from libs.events import EventBus, Transaction
from libs.kernel import ConversationId, ProjectId, UserId
from services.chat.domain.conversation import Conversation, Role, general_id
from services.chat.domain.errors import (
    ConversationIsArchivedError,
    ConversationNotFoundError,
    ProjectNotFoundError,
    UserIsBannedError,
    UserNotFoundError,
)
from services.chat.domain.rates import Rated
from services.chat.ports import (
    BanRepository,
    ConversationRepository,
    MessageWriter,
    Session,
)
from services.chat.service.access import require_access
from services.chat.service.conversations import Membership
from services.chat.service.membership import MembershipChanges
from services.chat.service.rates import UserLimits
from services.chat.service.transactions import run_change


class Listed(msgspec.Struct, frozen=True):
    """A public channel, and whether the user is in it."""

    conversation: Conversation
    is_member: bool


class PublicChannels:
    """Use cases on public channels.

    One of a project is open to its collaborators. One of no project is open to the
    whole installation, but for its guests, who come in where they are brought.

    Args:
        bus: Opens transactions.
        repository: Conversations and members.
        bans: Tells from where a user is kept out.
        changes: Brings in who joins.
        writer: Told when membership moved.
        rates: How often a user joins.
    """

    def __init__(
        self,
        bus: EventBus,
        repository: ConversationRepository,
        bans: BanRepository,
        *,
        changes: MembershipChanges,
        writer: MessageWriter,
        rates: UserLimits,
    ) -> None:
        self._bus = bus
        self._repository = repository
        self._bans = bans
        self._changes = changes
        self._writer = writer
        self._rates = rates

    async def page(
        self,
        user_id: UserId,
        project_id: ProjectId | None,
        *,
        is_guest: bool,
        after: str,
        limit: int,
    ) -> tuple[list[Listed], str | None]:
        """Return channels that the user may join, by id, and where to go on.

        Those that the user is in are among them; archived ones, and those that the
        user is banned from, are not. So a page may be shorter than its limit.

        Raises:
            ProjectNotFoundError: The user has no part in the project.
        """
        if not await self._may_look(user_id, project_id, is_guest=is_guest):
            return [], None
        found = await self._repository.public_page(
            project_id, after=after, limit=limit + 1
        )
        shown = found[:limit]
        ids = [conversation.conversation_id for conversation in shown]
        banned = await self._bans.banned_from(user_id, ids)
        memberships = await self._repository.memberships_in(user_id, ids)
        joined = {member.conversation_id for member in memberships}
        listed = [
            Listed(conversation, conversation.conversation_id in joined)
            for conversation in shown
            if conversation.conversation_id not in banned
        ]
        return listed, ids[-1] if len(found) > limit else None

    async def join(
        self, user_id: UserId, conversation_id: ConversationId, *, is_guest: bool
    ) -> Membership:
        """Come into a public channel as a member; who is in stays as is.

        Raises:
            ConversationNotFoundError: Missing, not public, another project's, or
                the user is banned.
            ConversationIsArchivedError: It is read-only.
            DraftInvalidError: ``too_many_members``.
            RateLimitedError: Too many joins lately.

        Emits: conversation.member_added.
        """
        await self._rates.require(Rated.JOIN, user_id)

        async def change(transaction: Transaction) -> Membership:
            session = transaction.session
            if await self._repository.members_among(
                conversation_id, [user_id], session=session
            ):
                return Membership(
                    *await require_access(
                        self._repository, user_id, conversation_id, session=session
                    )
                )
            conversation = await self._open(
                user_id, conversation_id, session, is_guest=is_guest
            )
            try:
                member = await self._changes.admit(
                    transaction, conversation, user_id, Role.MEMBER, added_by=user_id
                )
            except (UserIsBannedError, UserNotFoundError, ProjectNotFoundError):
                raise ConversationNotFoundError from None
            stored = await self._repository.get(conversation_id, session=session)
            return Membership(stored or conversation, member)

        membership = await run_change(self._bus, change)
        self._writer.forget(conversation_id)
        return membership

    async def _may_look(
        self, user_id: UserId, project_id: ProjectId | None, *, is_guest: bool
    ) -> bool:
        if project_id is None:
            return not is_guest
        general = general_id(project_id)
        if not await self._repository.members_among(general, [user_id]):
            raise ProjectNotFoundError
        return True

    async def _open(
        self,
        user_id: UserId,
        conversation_id: ConversationId,
        session: Session,
        *,
        is_guest: bool,
    ) -> Conversation:
        """Return a channel that is open to the user; others look as if missing."""
        conversation = await self._repository.get(conversation_id, session=session)
        if conversation is None or not conversation.is_public:
            raise ConversationNotFoundError
        ban = await self._bans.get(conversation_id, user_id, session=session)
        if ban is not None:
            raise ConversationNotFoundError
        try:
            may_look = await self._may_look(
                user_id, conversation.project_id, is_guest=is_guest
            )
        except ProjectNotFoundError:
            may_look = False
        if not may_look:
            raise ConversationNotFoundError
        if conversation.is_archived:
            raise ConversationIsArchivedError
        return conversation
