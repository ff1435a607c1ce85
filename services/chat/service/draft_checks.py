"""What a message refers to: who is mentioned, what is attached, which thread."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from libs.kernel import UserId
from services.chat.domain.conversation import Conversation, Member, Role, visible_from
from services.chat.domain.errors import DraftInvalidError, NotPermittedError
from services.chat.domain.limits import Limits
from services.chat.domain.message import Draft, MentionKind, MessageKind
from services.chat.domain.permissions import Action, require
from services.chat.domain.slow_mode import is_slowed, require_waited
from services.chat.ports import ConversationRepository, MessageRepository, Session
from services.chat.service.access import require_access
from services.chat.service.attachments import Attachments


class DraftChecks:
    """Checks what a draft refers to, before it is written.

    A draft that refers to nothing costs no read: the writer checks its sender.

    Args:
        conversations: Conversations and members.
        messages: Stored messages.
        attachments: Which documents may be attached.
        limits: See `Limits`.
    """

    def __init__(
        self,
        conversations: ConversationRepository,
        messages: MessageRepository,
        attachments: Attachments,
        limits: Limits,
    ) -> None:
        self._conversations = conversations
        self._messages = messages
        self._attachments = attachments
        self._limits = limits

    async def resolved(self, draft: Draft) -> Draft:
        """Return the draft with what the writer has to know of its thread.

        Raises:
            ConversationNotFoundError: Missing, or the sender is not a member.
            NotPermittedError: The sender may not send, or not mention all here.
            DraftInvalidError: ``mention_invalid`` or ``thread_not_found``.
            AttachmentUnknownError: See `Attachments.require_readable`.
        """
        refers = (draft.mentions, draft.mention_kinds, draft.attachments)
        if not any(refers) and draft.thread_seq is None:
            return draft
        conversation, member = await require_access(
            self._conversations, draft.sender_id, draft.conversation_id, Action.SEND
        )
        await self.check_mentions(
            conversation, member, draft.mentions, draft.mention_kinds
        )
        if draft.attachments:
            await self._attachments.require_readable(
                draft.sender_id, draft.conversation_id, draft.attachments
            )
        if draft.thread_seq is None:
            return draft
        author_id = await self._author(conversation, member, draft.thread_seq)
        return msgspec.structs.replace(draft, thread_author_id=author_id)

    async def check_mentions(
        self,
        conversation: Conversation,
        member: Member,
        mentions: Sequence[UserId],
        kinds: Sequence[MentionKind],
        *,
        session: Session = None,
    ) -> None:
        """Check that those who are mentioned are members, and that many may be.

        Raises:
            DraftInvalidError: ``mention_invalid``, with the ids.
            NotPermittedError: The role does not allow to mention so many.
        """
        place = conversation.conversation_id
        if mentions:
            active = await self._conversations.members_among(
                place, mentions, session=session
            )
            strangers = [user_id for user_id in mentions if user_id not in active]
            if strangers:
                raise DraftInvalidError(
                    "mention_invalid",
                    "Only members can be mentioned.",
                    user_ids=strangers,
                )
        if not kinds:
            return
        require(conversation, member, Action.MENTION_ALL)
        if member.role in (Role.OWNER, Role.ADMIN):
            return
        count = await self._conversations.count_members(place, session=session)
        if count > self._limits.mention_all_members:
            raise NotPermittedError(Action.MENTION_ALL)

    async def check_pace(
        self,
        conversation: Conversation,
        member: Member,
        now: datetime,
        *,
        session: Session = None,
    ) -> None:
        """Check that slow mode lets a member edit now.

        Raises:
            SlowModeError: The member sent or edited something not long ago.
        """
        if not is_slowed(conversation, member.role, Action.EDIT_OWN):
            return
        said_at = await self._messages.last_said_at(
            conversation, member.user_id, session=session
        )
        require_waited(conversation, member.role, Action.EDIT_OWN, said_at, now)

    async def _author(
        self, conversation: Conversation, member: Member, thread_seq: int
    ) -> UserId:
        """Return who wrote the message that is answered.

        Raises:
            DraftInvalidError: ``thread_not_found``: it is not there, deleted, no
                text, or itself an answer in a thread.
        """
        root = await self._messages.get_by_seq(member.conversation_id, thread_seq)
        is_hidden = thread_seq < visible_from(conversation, member)
        if root is None or is_hidden or root.is_deleted:
            raise DraftInvalidError("thread_not_found", "There is no such thread.")
        if root.thread_seq is not None or root.kind is MessageKind.SYSTEM:
            raise DraftInvalidError("thread_not_found", "It cannot have a thread.")
        return root.sender_id
