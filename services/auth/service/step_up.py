"""Sensitive actions ask for a proof that is at most five minutes old (MF-6)."""

from dataclasses import dataclass

from libs.kernel import Clock, SessionId, UserId
from services.auth.domain import Session
from services.auth.domain.errors import StepUpRequiredError
from services.auth.ports import DatabaseSession, SessionRepository


@dataclass(frozen=True)
class StepUp:
    """Guards what a stolen access token alone must not do."""

    sessions: SessionRepository
    clock: Clock

    async def require(
        self,
        user_id: UserId,
        session_id: SessionId,
        session: DatabaseSession = None,
    ) -> Session:
        """Return the caller's session if its owner proved themselves just now.

        Raises:
            StepUpRequiredError: The proof is older than five minutes, the session is
                over, or it is none: a personal access token never passes.
        """
        now = self.clock.now()
        found = await self.sessions.get(session_id, session)
        is_own = found is not None and found.user_id == user_id and found.is_live(now)
        if found is None or not is_own or not found.is_fresh(now):
            raise StepUpRequiredError
        return found
