"""Redis keys of the counters; nothing private is readable in one."""

from services.auth.domain import (
    BlindIndex,
    EmailAddress,
    Guess,
)
from services.auth.domain.guess import network_of


class ThrottleKeys:
    """Redis keys of the counters; addresses of mail and network are hashed."""

    def __init__(self, index: BlindIndex) -> None:
        self._index = index

    def guess(self, guess: Guess) -> list[str]:
        """Return the keys of pair, account, and the address's failed and running."""
        purpose = guess.purpose.value
        network = self._index.value(f"network|{network_of(guess.client_address)}")
        account = self._index.value(f"account|{guess.subject or network}")
        return [
            f"auth:guess-pair:{purpose}:{account}:{network}",
            f"auth:guess-account:{purpose}:{account}",
            f"auth:guess-failed:{purpose}:{network}",
            f"auth:guess-running:{purpose}:{network}",
        ]

    def mail(self, email: EmailAddress) -> str:
        """Return the key of the mails to an address."""
        return f"auth:mail:{self._index.value(f'account|{email.key}')}"
