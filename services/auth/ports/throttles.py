"""Counters that stand before a guess and before a mail."""

from typing import Protocol

from services.auth.domain import EmailAddress


class LoginAttempt(Protocol):
    """One admitted attempt: counted as a failure until told otherwise."""

    async def failed(self) -> None:
        """Say that it was a failure, no longer one that is being looked at."""
        ...

    async def succeeded(self) -> None:
        """Clear the account's failures, and this attempt of the client address."""
        ...

    async def withdraw(self) -> None:
        """Uncount it: no password was looked at, for lack of capacity say."""
        ...


class LoginThrottle(Protocol):
    """Counts attempts before the password is looked at, in one atomic step (LT-2)."""

    async def begin(self, email: EmailAddress, client_address: str) -> LoginAttempt:
        """Admit an attempt and count it.

        Raises:
            LoginThrottledError: Too many failures of this account from this address,
                of this account at all, or from this address at all.
            UnavailableError: The counters cannot be reached; nobody signs in.
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
