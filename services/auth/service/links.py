"""Links that work once: made, counted, taken (PW-8)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from libs.events import EventBus, Transaction
from libs.kernel import Clock
from services.auth.domain import (
    Guess,
    LinkPurpose,
    OneTimeLink,
    hash_secret,
    lifetime_of,
    new_secret,
)
from services.auth.domain.errors import (
    LinkInvalidError,
    VerificationTokenInvalidError,
)
from services.auth.ports import GuessThrottle, LinkRepository
from services.auth.service.guesses import counted

T = TypeVar("T")


@dataclass(frozen=True)
class IssuedLink:
    """A link on its way into a mail; only there the token is in clear."""

    token: str
    expires_at: datetime


@dataclass(frozen=True)
class OneTimeLinks:
    """Makes links and lets each be followed once."""

    bus: EventBus
    links: LinkRepository
    throttle: GuessThrottle
    clock: Clock

    async def issue(
        self,
        transaction: Transaction,
        purpose: LinkPurpose,
        subject_id: str,
        **payload: Any,  # noqa: ANN401 - OneTimeLink's own fields
    ) -> IssuedLink:
        """Store a link in a running transaction and return its token."""
        token = new_secret()
        expires_at = self.clock.now() + lifetime_of(purpose)
        link = OneTimeLink(
            hash_secret(token), purpose, subject_id, expires_at, **payload
        )
        await self.links.add(link, transaction.session)
        return IssuedLink(token, expires_at)

    async def follow(
        self,
        purpose: LinkPurpose,
        token: str,
        client_address: str,
        action: Callable[[OneTimeLink, Transaction], Awaitable[T]],
    ) -> T:
        """Spend a link for an action, in one transaction; tries are counted (LT-5).

        Args:
            purpose: What the link must have been sent for.
            token: As typed.
            client_address: Who tries.
            action: Runs once, after the link is taken and every other link of its
                subject is void; if it fails, none of this has happened.

        Raises:
            LinkInvalidError: Used, expired, revoked or invented.
            AttemptsThrottledError: Too many of those from one network.
        """

        async def spend(transaction: Transaction) -> T:
            link = await self._take(purpose, token, transaction)
            await self.void(transaction, link.subject_id)
            return await action(link, transaction)

        guess = Guess.of_bearer(purpose.guess, client_address)
        async with counted(self.throttle, guess, wrong=LinkInvalidError):
            return await self.bus.run_transaction(spend)

    async def check(
        self, purpose: LinkPurpose, token: str, client_address: str
    ) -> OneTimeLink:
        """Return a link that waits, without spending it; a try that is counted (LT-5).

        For what costs a hash: who invents links makes nobody compute any.

        Raises:
            LinkInvalidError: See `follow`, which asks again.
            AttemptsThrottledError: See `follow`.
        """
        guess = Guess.of_bearer(purpose.guess, client_address)
        async with counted(self.throttle, guess, wrong=LinkInvalidError):
            found = await self.links.get(hash_secret(token), purpose)
            if found is None or found.is_expired(self.clock.now()):
                raise invalid_link(purpose)
            return found

    async def void(self, transaction: Transaction, subject_id: str) -> None:
        """Void every link of a subject, but not those that stop what was done to it."""
        await self.links.remove_all(
            subject_id, transaction.session, kept=LinkPurpose.EMAIL_STOP
        )

    async def _take(
        self, purpose: LinkPurpose, token: str, transaction: Transaction
    ) -> OneTimeLink:
        found = await self.links.take(hash_secret(token), purpose, transaction.session)
        if found is None or found.is_expired(self.clock.now()):
            raise invalid_link(purpose)
        return found


def invalid_link(purpose: LinkPurpose) -> LinkInvalidError:
    """Return what somebody with a link that is not valid any more is told."""
    if purpose is LinkPurpose.VERIFICATION:
        return VerificationTokenInvalidError()
    return LinkInvalidError()
