"""What the rules need from outside."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from libs.kernel import SessionId, UserId
from libs.kernel.rates import Charge, Decision


@dataclass(frozen=True)
class Identity:
    """Who a good access token speaks for.

    Attributes:
        user_id: Subject.
        session_id: Session it was issued in; revocation is by session.
        roles: In the organisation.
        expires_at: Unix time, seconds.
        scopes: What the token is restricted to, empty for no restriction.
        authenticated_at: Unix time, seconds, of the user's last proof; 0 where the
            token does not say.
        verified_until: Unix time, seconds; the verifier is asked again then. Without
            one, whoever remembers it decides.
    """

    user_id: UserId
    session_id: SessionId
    roles: tuple[str, ...]
    expires_at: float
    scopes: tuple[str, ...] = ()
    authenticated_at: int = 0
    verified_until: float = math.inf


class TokenVerifier(Protocol):
    """Checks an access token's signature and claims."""

    async def verify(self, token: str) -> Identity:
        """Return whom it speaks for.

        Raises:
            TokenRefusedError: token_invalid or token_expired.
            UnavailableError: The keys to check it with cannot be had.
        """
        ...


class RevokedSessions(Protocol):
    """Knows which sessions ended before their tokens do."""

    def is_revoked(self, session_id: SessionId) -> bool:
        """Tell whether a session's tokens are to be refused."""
        ...


class SharedBuckets(Protocol):
    """Rate limits that all gateways share."""

    async def charge(self, charges: Sequence[Charge]) -> Decision:
        """Charge one request to all limits, or to none of them.

        Raises:
            UnavailableError: The store does not answer.
        """
        ...


class Credentials(Protocol):
    """Makes the tokens by which services know the gateway and the user."""

    def token(self, service: str, identity: Identity | None) -> str:
        """Return an internal token for a service.

        Args:
            service: Its audience.
            identity: Who asks; None: anonymous.
        """
        ...
