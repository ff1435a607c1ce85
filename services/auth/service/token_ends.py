"""The end of personal tokens, told as that of a session is."""

from dataclasses import dataclass

from libs.chassis.audit import AuditTrail
from libs.events import Transaction
from libs.kernel import Clock, UserId
from services.auth.domain import (
    PERSONAL_TOKENS_PER_USER_MAX,
    PersonalToken,
    RevokeReason,
    Session,
)
from services.auth.ports import PersonalTokenRepository, SessionRepository
from services.auth.service.ends import tell_end_in


@dataclass(frozen=True)
class TokenEnds:
    """Ends personal tokens inside the transaction of what ends them."""

    tokens: PersonalTokenRepository
    sessions: SessionRepository
    audit: AuditTrail
    clock: Clock

    async def end_in(
        self,
        transaction: Transaction,
        token: PersonalToken,
        reason: RevokeReason,
        *,
        actor_id: str = "",
    ) -> list[Session]:
        """End a token in a running transaction; see `SessionControl.end_in`.

        It leaves an ended session under its id: who watches sessions learns of it.
        """
        now = self.clock.now()
        if not await self.tokens.revoke(token.revoked(now), transaction.session):
            return []
        ended = token.ended_session(reason, now)
        await self.sessions.add(ended, transaction.session)
        await tell_end_in(
            transaction,
            self.audit,
            ended,
            reason,
            action="token.revoked",
            actor_id=actor_id,
        )
        return [ended]

    async def end_all_in(
        self,
        transaction: Transaction,
        user_id: UserId,
        reason: RevokeReason,
        *,
        actor_id: str = "",
    ) -> list[Session]:
        """End all personal tokens of a user in a running transaction (SR-6)."""
        live = await self.tokens.list_live(
            user_id,
            at=self.clock.now(),
            after=None,
            limit=PERSONAL_TOKENS_PER_USER_MAX,
            session=transaction.session,
        )
        ended = []
        for token in live:
            ended += await self.end_in(transaction, token, reason, actor_id=actor_id)
        return ended
