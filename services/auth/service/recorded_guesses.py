"""What the throttle refuses stands in the audit, and fills no disk (LT-1)."""

from typing import Final

import structlog

from libs.chassis.audit import (
    ANONYMOUS_ACTOR,
    AuditEntry,
    AuditResult,
    AuditTrail,
    Repeats,
)
from libs.kernel import AppError, Clock, RateLimitedError, UserId
from services.auth.domain import (
    EmailAddress,
    Guess,
    GuessPurpose,
)
from services.auth.domain.guess import network_of
from services.auth.ports import Attempt, GuessThrottle, UserRepository

NETWORK_RECORDS: Final = 20
"""So many records a minute are written of one network, whomever it tries."""

SECRET_RECORDS: Final = 20
"""So many are written of one account's secret, wherever it is tried from."""

_log = structlog.get_logger(__name__)


class RecordedGuesses:
    """A throttle that records whom it refuses, whose secret was tried and from where.

    Within a minute the same secret from the same network is one record, and a network
    that tries everybody's is a few, as is a secret that many networks try: a /48 of
    IPv6 has 65,536 of them. Whether there is such an account makes no difference: a
    record is written either way, in the same time (EN-2). What cannot be recorded is
    refused all the same.

    Args:
        throttle: Decides.
        users: Finds whose secret it is.
        audit: Keeps the records.
        clock: Measures the minute.
    """

    def __init__(
        self,
        throttle: GuessThrottle,
        users: UserRepository,
        audit: AuditTrail,
        clock: Clock,
    ) -> None:
        self._throttle = throttle
        self._users = users
        self._audit = audit
        self._pairs = Repeats(clock)
        self._networks = Repeats(clock, times=NETWORK_RECORDS)
        self._secrets = Repeats(clock, times=SECRET_RECORDS)

    async def begin(self, guess: Guess) -> Attempt:
        """Admit a guess and count it; see `GuessThrottle.begin`."""
        try:
            return await self._throttle.begin(guess)
        except RateLimitedError as refused:
            await self._record(guess, refused)
            raise

    async def _record(self, guess: Guess, refused: RateLimitedError) -> None:
        if self._is_enough(guess):
            return
        try:
            entry = AuditEntry(
                action="guess.refused",
                actor_id=ANONYMOUS_ACTOR,
                target_id=await self._owner(guess),
                source=guess.client_address,
                result=AuditResult.REFUSED,
                reason=refused.code,
                details={"purpose": guess.purpose.value},
            )
            await self._audit.record(entry, None)
        except AppError as failure:
            _log.warning("refusal_not_recorded", code=failure.code)

    def _is_enough(self, guess: Guess) -> bool:
        secret = (guess.purpose, guess.subject)
        network = network_of(guess.client_address)
        if self._pairs.is_enough((*secret, network)):
            return True
        if self._networks.is_enough(network):
            return True
        # One that names its owner itself is of no account: its network is its bound.
        return bool(guess.subject) and self._secrets.is_enough(secret)

    async def _owner(self, guess: Guess) -> str:
        """Return the id of the account; empty where the subject is nobody's."""
        if guess.purpose is not GuessPurpose.PASSWORD:
            user = await self._users.get(UserId(guess.subject), None)
        else:
            address = EmailAddress.parse(guess.subject)
            user = await self._users.find_by_email(address, None)
        return user.user_id if user else ""
