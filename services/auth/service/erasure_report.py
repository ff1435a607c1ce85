"""Who has erased their part of a deleted account, and who is told once more."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import structlog

from libs.chassis.audit import AuditEntry, AuditTrail
from libs.events import EventBus, Transaction
from libs.events.catalog import ErasureCompleted, UserDeleted
from libs.kernel import Clock, UserId
from services.auth.domain import (
    Actor,
    Permission,
)
from services.auth.domain.erasure import Erasure
from services.auth.domain.errors import ErasureMissingError
from services.auth.ports import DatabaseSession, ErasureRepository
from services.auth.service.appointment import OPERATOR
from services.auth.service.authority import Authority

_PAGE = 100
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class ErasurePage:
    """Erasures in the order of their users' ids, and whether there are more."""

    items: Sequence[Erasure]
    has_more: bool


@dataclass(frozen=True)
class ErasureRetelling:
    """Tells services once more of deleted accounts; reached by command alone."""

    bus: EventBus
    erasures: ErasureRepository
    audit: AuditTrail
    clock: Clock

    async def retell(self, user_id: UserId) -> None:
        """Emit `user.deleted` again; who has answered answers once more.

        Raises:
            ErasureMissingError: There is none, or every service has answered.

        Emits: user.deleted.
        """

        async def store(transaction: Transaction) -> None:
            session = transaction.session
            found = await self.erasures.get(user_id, session)
            if found is None or not found.missing:
                raise ErasureMissingError
            await self.erasures.note_told(user_id, self.clock.now(), session)
            transaction.publish(UserDeleted(user_id=user_id, revision=found.revision))
            entry = AuditEntry(
                action="erasure.retold",
                actor_id=OPERATOR,
                target_id=user_id,
                details={"missing": " ".join(found.missing)},
            )
            await self.audit.record(entry, session)

        await self.bus.run_transaction(store)

    async def retell_all(self) -> list[UserId]:
        """Emit it for every erasure that waits; return for whom.

        One that is answered meanwhile waits no more; the others are told all the same.
        """
        told: list[UserId] = []
        after = None
        while found := await self.erasures.page(
            is_complete=False, after=after, limit=_PAGE
        ):
            for erasure in found:
                with suppress(ErasureMissingError):
                    await self.retell(erasure.user_id)
                    told.append(erasure.user_id)
            after = found[-1].user_id
        return told


@dataclass(frozen=True)
class ErasureReport:
    """Collects the answers and shows them."""

    authority: Authority
    erasures: ErasureRepository

    async def page(
        self, actor: Actor, *, is_complete: bool | None, after: str | None, limit: int
    ) -> ErasurePage:
        """Return erasures, by the ids of their users.

        Raises:
            NotPermittedError: The caller may not delete accounts.
        """
        await self.authority.require(actor.user_id, Permission.DELETE_USERS)
        found = await self.erasures.page(
            is_complete=is_complete, after=after, limit=limit + 1
        )
        return ErasurePage(found[:limit], has_more=len(found) > limit)

    async def note_answer(
        self, event: ErasureCompleted, at: datetime, session: DatabaseSession
    ) -> None:
        """Keep a service's first answer; others change nothing."""
        user_id = UserId(event.user_id)
        if not await self.erasures.answer(user_id, event.service, at, session):
            _log.info("erasure_answer_skipped", user_id=user_id, by=event.service)
            return
        found = await self.erasures.get(user_id, session)
        if found is not None and not found.missing:
            _log.info("erasure_completed", user_id=user_id)
