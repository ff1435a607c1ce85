"""What changed since a revision, of any age."""

from libs.kernel import ConversationId, UserId
from services.chat.domain.conversation import Member, shown_member
from services.chat.domain.errors import (
    ConversationNotFoundError,
    RevisionUnknownError,
)
from services.chat.domain.message import Message
from services.chat.ports import (
    Changed,
    Changes,
    ConversationRepository,
    MessageRepository,
)
from services.chat.service.access import require_access

_FRAME_BYTES = 300
"""What of a message, or a member, is no text: ids, times, names of fields."""


class Sync:
    """Answers a client that knows a conversation up to a revision."""

    def __init__(
        self, conversations: ConversationRepository, messages: MessageRepository
    ) -> None:
        self._conversations = conversations
        self._messages = messages

    async def changes(
        self,
        user_id: UserId,
        conversation_id: ConversationId,
        *,
        since: int,
        limit: int,
    ) -> Changes:
        """Return the current state of all that changed after a revision.

        Args:
            user_id: Who asks.
            conversation_id: Of what.
            since: Revision the client is at; 0 asks for everything.
            limit: Changes in the answer at most, at least 1.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
            RevisionUnknownError: `since` is above the conversation's revision.
        """
        _, member = await require_access(self._conversations, user_id, conversation_id)
        changes = await self.changes_of(
            conversation_id, since=since, limit=limit, viewer=member
        )
        is_gone = changes is None or not await self._conversations.members_among(
            conversation_id, [user_id]
        )
        if changes is None or is_gone:  # removed meanwhile: nothing newer is told
            raise ConversationNotFoundError
        if since > changes.revision:
            raise RevisionUnknownError(changes.revision)
        return changes

    async def changes_of(
        self,
        conversation_id: ConversationId,
        *,
        since: int,
        limit: int,
        viewer: Member | None = None,
    ) -> Changes | None:
        """Return the changes after a revision, as of one moment; None: missing.

        Args:
            conversation_id: Of what.
            since: Revision known already; above the conversation's nothing changed,
                and the answer tells the conversation's.
            limit: Changes in the answer at most, at least 1.
            viewer: From whom hidden messages are left out; None: from nobody.
        """
        found = await self._messages.changed(
            conversation_id, since=since, limit=limit + 1, viewer=viewer
        )
        viewer_id = None if viewer is None else viewer.user_id
        return None if found is None else _changes(found, since, limit, viewer_id)


def _changes(
    found: Changed, since: int, limit: int, viewer_id: UserId | None
) -> Changes:
    conversation = found.conversation
    members = [shown_member(conversation, m, viewer_id) for m in found.members]
    changed: list[Message | Member] = [*found.messages, *members]
    changed.sort(key=lambda change: change.revision)
    shown = _whole_revisions(changed, limit)
    has_more = len(changed) > len(shown)
    revision = shown[-1].revision if has_more else conversation.revision
    is_own_shown = since < conversation.changed_revision <= revision
    return Changes(
        conversation=conversation if is_own_shown else None,
        members=tuple(change for change in shown if isinstance(change, Member)),
        messages=tuple(change for change in shown if isinstance(change, Message)),
        revision=revision,
        has_more=has_more,
    )


def _whole_revisions(
    changed: list[Message | Member], limit: int
) -> list[Message | Member]:
    """Cut to a limit, but never inside a revision: creation changes all members."""
    end = min(limit, len(changed))
    while 0 < end < len(changed) and changed[end].revision == changed[end - 1].revision:
        end += 1
    return changed[:end]


def text_bytes(message: Message) -> int:
    """Return about how many bytes a message takes on the wire."""
    return len((message.text or "").encode()) + _FRAME_BYTES


def trimmed(changes: Changes, limit_bytes: int) -> Changes:
    """Cut a page of changes to about so many bytes, but to one revision at least."""
    changed: list[Message | Member] = [*changes.messages, *changes.members]
    changed.sort(key=lambda change: change.revision)
    size, end = 0, 0
    while end < len(changed) and (end == 0 or size < limit_bytes):
        change = changed[end]
        size += text_bytes(change) if isinstance(change, Message) else _FRAME_BYTES
        end += 1
    shown = _whole_revisions(changed, end)
    if len(shown) == len(changed):
        return changes
    revision = shown[-1].revision
    own = changes.conversation
    is_own_shown = own is not None and own.changed_revision <= revision
    return Changes(
        conversation=own if is_own_shown else None,
        members=tuple(change for change in shown if isinstance(change, Member)),
        messages=tuple(change for change in shown if isinstance(change, Message)),
        revision=revision,
        has_more=True,
    )
