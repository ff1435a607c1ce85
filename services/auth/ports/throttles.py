"""Counters that stand before a guess and before a mail."""

from typing import Protocol

from services.auth.domain import (
    EmailAddress,
    Guess,
)


class Attempt(Protocol):
    """One admitted guess: counted as a failure until told otherwise."""

    @property
    def wrong_before(self) -> int:
        """How many were wrong, from anywhere, since the subject's last success."""
        ...

    async def failed(self) -> None:
        """Say that it was a failure, no longer one that is being looked at."""
        ...

    async def succeeded(self) -> None:
        """Clear the subject's failures, and this attempt of the client address."""
        ...

    async def withdraw(self) -> None:
        """Uncount it: no secret was looked at, for lack of capacity say."""
        ...


class GuessThrottle(Protocol):
    """Counts guesses before the secret is looked at, in one atomic step (LT-2).

    Use it through `services.auth.service.counted`, which ends the attempt as the
    block ends.
    """

    async def begin(self, guess: Guess) -> Attempt:
        """Admit a guess and count it.

        Raises:
            LoginThrottledError: A password, and too many failures of this subject
                from this address, of this subject at all, or from this address at all.
            AttemptsThrottledError: The same for any other purpose.
            UnavailableError: The counters cannot be reached; nobody guesses.
        """
        ...


class MailThrottle(Protocol):
    """Keeps a stranger from filling somebody's mailbox."""

    async def is_admitted(self, email: EmailAddress) -> bool:
        """Count one mail to an address and tell whether it may be sent.

        Raises:
            UnavailableError: The counter cannot be reached.
        """
        ...
