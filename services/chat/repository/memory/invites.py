"""Invites in memory."""

from datetime import datetime

import msgspec

from libs.kernel import ConversationId
from services.chat.domain.invite import Invite
from services.chat.ports import Session


class MemoryInvites:
    """`InviteRepository` in a dictionary."""

    def __init__(self) -> None:
        self.invites: dict[str, Invite] = {}

    async def insert(self, invite: Invite, *, session: Session) -> None:
        """Store a new invite."""
        del session
        self.invites[invite.invite_id] = invite

    async def find(self, token_hash: bytes, *, session: Session) -> Invite | None:
        """Return the invite whose token has a hash, or None."""
        del session
        found = (i for i in self.invites.values() if i.token_hash == token_hash)
        return next(found, None)

    async def take_use(
        self, invite_id: str, now: datetime, *, session: Session
    ) -> bool:
        """Count one use, if the invite is still open; tell whether it was."""
        del session
        invite = self.invites.get(invite_id)
        if invite is None or not invite.is_open(now):
            return False
        used = msgspec.structs.replace(invite, uses=invite.uses + 1)
        self.invites[invite_id] = used
        return True

    async def remove(
        self, conversation_id: ConversationId, invite_id: str, *, session: Session
    ) -> bool:
        """Forget a conversation's invite; tell whether there was one."""
        del session
        invite = self.invites.get(invite_id)
        if invite is None or invite.conversation_id != conversation_id:
            return False
        del self.invites[invite_id]
        return True

    async def page(
        self, conversation_id: ConversationId, now: datetime, *, after: str, limit: int
    ) -> list[Invite]:
        """Return invites that have not expired, in the order of their ids."""
        found = [i for i in self._of(conversation_id, now) if i.invite_id > after]
        return sorted(found, key=lambda invite: invite.invite_id)[:limit]

    async def count(
        self, conversation_id: ConversationId, now: datetime, *, session: Session
    ) -> int:
        """Count a conversation's invites that have not expired."""
        del session
        return len(self._of(conversation_id, now))

    def _of(self, conversation_id: ConversationId, now: datetime) -> list[Invite]:
        return [
            invite
            for invite in self.invites.values()
            if invite.conversation_id == conversation_id and invite.expires_at > now
        ]
