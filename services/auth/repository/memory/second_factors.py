"""Second factors and pending sign-ins in memory, for tests."""
# ruff: noqa: ARG002 - the ports pass a database session, memory has none

from dataclasses import replace
from datetime import datetime

from libs.kernel import UserId
from services.auth.domain import (
    PENDING_SIGN_IN_TRIES_MAX,
    Ceremony,
    PendingSignIn,
    SecondFactorPolicy,
    SecondFactors,
)
from services.auth.domain.errors import PasskeyKnownError
from services.auth.ports import DatabaseSession


class MemorySecondFactorRepository:
    """Factors in a dictionary."""

    def __init__(self) -> None:
        self._factors: dict[str, SecondFactors] = {}

    async def get(self, user_id: UserId, session: DatabaseSession) -> SecondFactors:
        """Return a user's factors; see `SecondFactorRepository.get`."""
        return self._factors.get(user_id, SecondFactors(user_id))

    async def save(self, factors: SecondFactors, session: DatabaseSession) -> bool:
        """Replace the revision before; see `SecondFactorRepository.save`."""
        stored = await self.get(factors.user_id, session)
        if stored.revision != factors.revision - 1:
            return False
        others = (own for own in self._factors.values() if own is not stored)
        held = {key.credential_id for own in others for key in own.passkeys}
        if not held.isdisjoint(key.credential_id for key in factors.passkeys):
            raise PasskeyKnownError
        self._factors[factors.user_id] = factors
        return True

    async def remove(self, user_id: UserId, session: DatabaseSession) -> None:
        """Forget a user's factors."""
        self._factors.pop(user_id, None)


class MemorySecondFactorPolicyRepository:
    """One policy."""

    def __init__(self) -> None:
        self._policy: SecondFactorPolicy | None = None

    async def get(self, session: DatabaseSession) -> SecondFactorPolicy | None:
        """Return the policy; None where none was ever stored."""
        return self._policy

    async def put(self, policy: SecondFactorPolicy, session: DatabaseSession) -> None:
        """Store a policy in place of the one before."""
        self._policy = policy


class MemoryPendingSignInRepository:
    """Pending sign-ins in a dictionary."""

    def __init__(self) -> None:
        self._pending: dict[str, PendingSignIn] = {}

    async def add(self, pending: PendingSignIn, session: DatabaseSession) -> None:
        """Store one."""
        self._pending[pending.token_hash] = pending

    async def get(self, token_hash: str) -> PendingSignIn | None:
        """Return one, open or not."""
        return self._pending.get(token_hash)

    async def count_try(self, token_hash: str, *, at: datetime) -> PendingSignIn | None:
        """Count a guess; see `PendingSignInRepository.count_try`."""
        found = self._pending.get(token_hash)
        if found is None or at >= found.expires_at:
            return None
        if found.tries >= PENDING_SIGN_IN_TRIES_MAX:
            return None
        self._pending[token_hash] = replace(found, tries=found.tries + 1)
        return self._pending[token_hash]

    async def take(self, token_hash: str, session: DatabaseSession) -> bool:
        """Remove one; of several callers one gets True."""
        return self._pending.pop(token_hash, None) is not None

    async def remove_all(self, user_id: UserId, session: DatabaseSession) -> None:
        """Void all of a user's."""
        self._pending = {
            token_hash: pending
            for token_hash, pending in self._pending.items()
            if pending.user_id != user_id
        }

    async def remove_of_provider(
        self,
        provider_id: str,
        session: DatabaseSession,
        *,
        session_hash: str = "",
        user_id: UserId | None = None,
    ) -> None:
        """Void those; see `PendingSignInRepository.remove_of_provider`."""

        def is_meant(one: PendingSignIn) -> bool:
            device = one.device
            return (
                device.provider_id == provider_id
                and session_hash in ("", device.provider_session_hash)
                and user_id in (None, one.user_id)
            )

        self._pending = {
            token_hash: pending
            for token_hash, pending in self._pending.items()
            if not is_meant(pending)
        }


class MemoryCeremonyRepository:
    """Challenges in a dictionary."""

    def __init__(self) -> None:
        self._challenges: dict[str, Ceremony] = {}

    async def add(self, ceremony: Ceremony) -> None:
        """Store a challenge."""
        self._challenges[ceremony.challenge_hash] = ceremony

    async def take(self, challenge_hash: str) -> Ceremony | None:
        """Remove and return a challenge; of several callers one gets it."""
        return self._challenges.pop(challenge_hash, None)
