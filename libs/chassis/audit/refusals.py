"""Records of what somebody was not allowed to do."""

from collections.abc import Mapping

import structlog

from libs.chassis.audit.entry import (
    ANONYMOUS_ACTOR,
    AuditEntry,
    AuditResult,
    AuditTrail,
)
from libs.chassis.audit.repeats import Repeats
from libs.chassis.origins import current_origin
from libs.kernel import AppError, Clock, ForbiddenError, is_id

_log = structlog.get_logger(__name__)


class Refusals:
    """Records refusals that a service's edges meet, each kind once a minute.

    Whoever tries the same again and again fills no disk: within a minute the same
    caller, way in, target and code is one record. What cannot be recorded is refused
    all the same.

    Args:
        trail: Where they are kept.
        clock: Measures the minute.
    """

    def __init__(self, trail: AuditTrail, clock: Clock) -> None:
        self._trail = trail
        self._repeats = Repeats(clock)

    async def record(
        self, error: AppError, way_in: str, parameters: Mapping[str, str]
    ) -> None:
        """Record a refusal; what is no `ForbiddenError` is none.

        Args:
            error: What was answered.
            way_in: Method and template of the route, or the name of a socket event.
            parameters: Of the request, the outermost first; ids are kept.
        """
        if not isinstance(error, ForbiddenError):
            return
        actor_id = current_origin().user_id or ANONYMOUS_ACTOR
        ids = {name: text for name, text in parameters.items() if is_id(text)}
        if self._repeats.is_enough((actor_id, way_in, *ids.items(), error.code)):
            return
        entry = AuditEntry(
            action="access.refused",
            actor_id=actor_id,
            target_id=next(iter(ids.values()), ""),
            result=AuditResult.REFUSED,
            reason=error.code,
            details={"way_in": way_in, **ids},
        )
        try:
            await self._trail.record(entry, None)
        except AppError as failure:
            _log.warning("refusal_not_recorded", code=failure.code)
