"""Challenges of passkeys: made here, good once, for five minutes, for one purpose."""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

from libs.kernel import Clock
from services.auth.domain import (
    PASSKEY_CHALLENGE_LIFETIME,
    Ceremony,
    CeremonyPurpose,
    SecondFactors,
    User,
)
from services.auth.domain.errors import SecondFactorInvalidError
from services.auth.ports import CeremonyRepository
from services.auth.service.passkey_verifier import Credential, PasskeyVerifier

_CHALLENGE_BYTES = 32


@dataclass(frozen=True)
class Ceremonies:
    """Begins ceremonies, and takes their challenges back."""

    challenges: CeremonyRepository
    verifier: PasskeyVerifier
    clock: Clock

    async def begin_registration(
        self, user: User, own: SecondFactors, binding: str
    ) -> dict[str, Any]:
        """Return the options of a registration, for the browser."""
        challenge = await self._challenge(CeremonyPurpose.REGISTRATION, binding)
        return self.verifier.registration_options(user, own.passkeys, challenge)

    async def begin(
        self, purpose: CeremonyPurpose, binding: str, own: SecondFactors | None = None
    ) -> dict[str, Any]:
        """Return the options of a signature, for the browser.

        Args:
            purpose: Not a registration.
            binding: See `Ceremony.binding`.
            own: The user's factors; None where the key tells who comes.
        """
        challenge = await self._challenge(purpose, binding)
        return self.verifier.authentication_options(
            own.passkeys if own else (),
            challenge,
            is_alone=purpose is CeremonyPurpose.SIGN_IN,
        )

    async def take(
        self, credential: Credential, purpose: CeremonyPurpose, binding: str
    ) -> bytes:
        """Spend the challenge that an answer is for, whatever the answer is worth.

        Raises:
            SecondFactorInvalidError: There is none: invented, spent, expired, or made
                for something or somebody else.
        """
        challenge = self.verifier.challenge_of(credential)
        taken = await self.challenges.take(_hash(challenge))
        if taken is None or not taken.fits(purpose, binding, self.clock.now()):
            raise SecondFactorInvalidError
        return challenge

    async def _challenge(self, purpose: CeremonyPurpose, binding: str) -> bytes:
        challenge = secrets.token_bytes(_CHALLENGE_BYTES)
        expires_at = self.clock.now() + PASSKEY_CHALLENGE_LIFETIME
        await self.challenges.add(
            Ceremony(_hash(challenge), purpose, binding, expires_at)
        )
        return challenge


def _hash(challenge: bytes) -> str:
    return hashlib.sha256(challenge).hexdigest()
