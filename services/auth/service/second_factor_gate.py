"""What stands between a first factor and a session (MF-3)."""

import secrets
from dataclasses import dataclass

from libs.kernel import Clock
from services.auth.domain import (
    PENDING_SIGN_IN_LIFETIME,
    AuthMethod,
    ClientDevice,
    Factor,
    PendingSignIn,
    User,
    hash_secret,
    proves_two_factors,
)
from services.auth.ports import (
    DatabaseSession,
    PendingSignInRepository,
    SecondFactorRepository,
)
from services.auth.service.second_factor_policies import SecondFactorPolicies

_TOKEN_BYTES = 32


@dataclass(frozen=True)
class SecondFactorRequired:
    """What a client gets instead of tokens while a factor is missing.

    Attributes:
        pending_token: Opens the routes of second factors and nothing else.
        factors: What the sign-in can be finished with; none where the user has to
            enrol first.
        is_enrolment: Whether the user must enrol a factor to finish.
        expires_in: Seconds.
    """

    pending_token: str
    factors: tuple[Factor, ...]
    is_enrolment: bool
    expires_in: int


@dataclass(frozen=True)
class SecondFactorGate:
    """Decides whether what somebody proved is enough."""

    factors: SecondFactorRepository
    pending: PendingSignInRepository
    policy: SecondFactorPolicies
    clock: Clock

    async def hold(
        self,
        user: User,
        device: ClientDevice,
        methods: tuple[AuthMethod, ...],
        session: DatabaseSession,
        *,
        is_weak: bool = False,
    ) -> SecondFactorRequired | None:
        """Return what is still asked of a user, None where nothing is.

        Args:
            user: May sign in.
            device: Where the sign-in comes from.
            methods: What was proved just now. Another provider's word counts as
                one factor, whatever the provider asked for.
            session: Of the transaction that starts the session if nothing is asked.
            is_weak: Whether what was proved is not enough alone, whatever the policy.
        """
        if proves_two_factors(methods):
            return None
        own = await self.factors.get(user.user_id, session)
        if not own.is_enrolled:
            must_enrol = is_weak or await self.policy.requires(user, session)
            if not must_enrol:
                return None
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        waiting = PendingSignIn(
            token_hash=hash_pending_token(token),
            user_id=user.user_id,
            device=device,
            methods=methods,
            expires_at=self.clock.now() + PENDING_SIGN_IN_LIFETIME,
            is_enrolment=not own.is_enrolled,
        )
        await self.pending.add(waiting, session)
        return SecondFactorRequired(
            pending_token=token,
            factors=own.offered,
            is_enrolment=waiting.is_enrolment,
            expires_in=int(PENDING_SIGN_IN_LIFETIME.total_seconds()),
        )


def hash_pending_token(token: str) -> str:
    """Return what is stored of a pending sign-in's token: SHA-256 in hex."""
    return hash_secret(token)
