"""What the audit keeps of conversations: who did what to whom; no text, no title."""

from enum import StrEnum
from typing import Final

from libs.chassis.audit import AuditEntry, AuditTrail
from libs.events import Transaction
from libs.kernel import ConversationId, UserId

CHAT: Final = "chat"
"""The actor of what a project decides, and of what follows from a deletion."""


class Act(StrEnum):
    """What is recorded, as the audit names it."""

    CREATED = "conversation.created"
    UPDATED = "conversation.updated"
    ARCHIVED = "conversation.archived"
    RESTORED = "conversation.restored"
    DELETED = "conversation.deleted"
    OWNER_CHANGED = "conversation.owner_changed"
    MEMBER_ADDED = "conversation.member_added"
    MEMBER_REMOVED = "conversation.member_removed"
    ROLE_CHANGED = "conversation.role_changed"
    USER_BANNED = "conversation.user_banned"
    BAN_LIFTED = "conversation.ban_lifted"
    INVITE_MADE = "conversation.invite_made"
    INVITE_USED = "conversation.invite_used"
    INVITE_REVOKED = "conversation.invite_revoked"
    MESSAGE_DELETED = "message.deleted"
    VERSIONS_READ = "message.versions_read"


class Recorder:
    """Records acts on conversations, each in the transaction that it is done in.

    Args:
        audit: Keeps the records.
    """

    def __init__(self, audit: AuditTrail) -> None:
        self._audit = audit

    async def record(
        self,
        transaction: Transaction | None,
        act: Act,
        conversation_id: ConversationId,
        actor_id: UserId | None,
        *,
        target_id: str = "",
        **details: str | int | bool,
    ) -> None:
        """Record an act.

        Args:
            transaction: The act's; None for what changes nothing.
            act: What was done.
            conversation_id: Where.
            actor_id: Who did it; None: chat itself.
            target_id: Whom or what it was done to; the conversation if left out.
            details: Few ids, slugs and numbers; never a text.

        Raises:
            UnavailableError: It cannot be recorded: it must not happen.
        """
        entry = AuditEntry(
            action=act,
            actor_id=actor_id or CHAT,
            target_id=target_id or conversation_id,
            details={"conversation_id": conversation_id, **details},
        )
        await self._audit.record(
            entry, None if transaction is None else transaction.session
        )
