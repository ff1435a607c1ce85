"""Bodies of second factors and of proving oneself again."""

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from services.auth.domain import CeremonyPurpose
from services.auth.schemas.base import RequestModel, ResponseModel
from services.auth.schemas.fields import Password
from services.auth.schemas.passkeys import (
    AssertionCredential,
    PasskeyResponse,
    PendingToken,
)
from services.auth.schemas.providers import OneTimeCode, Verifier
from services.auth.schemas.sessions import TokenResponse
from services.auth.service import (
    FactorOverview,
    PasskeyProof,
    Proof,
    RecoveryProof,
    TotpProof,
)

TotpCode = Annotated[str, StringConstraints(min_length=6, max_length=16)]
RecoveryCode = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class ProofRequest(RequestModel):
    """A second factor: exactly one of the fields."""

    totp_code: TotpCode | None = None
    recovery_code: RecoveryCode | None = None
    passkey: AssertionCredential | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if len(self._given()) != 1:
            raise ValueError("give exactly one proof")
        return self

    def _given(self) -> list[str]:
        names = ("totp_code", "recovery_code", "passkey", "password", "oidc_code")
        return [name for name in names if getattr(self, name, None) is not None]

    def proof(self, purpose: CeremonyPurpose, binding: str) -> Proof:
        """Return the second factor that was given.

        Args:
            purpose: What a passkey's challenge must be for.
            binding: What it must belong to.
        """
        if self.passkey is not None:
            return PasskeyProof(self.passkey.document(), purpose, binding)
        if self.totp_code is not None:
            return TotpProof(self.totp_code)
        return RecoveryProof(self.recovery_code or "")


class FinishRequest(ProofRequest):
    """Finishes a pending sign-in."""

    pending_token: PendingToken


class StepUpRequest(ProofRequest):
    """Proves who the caller is once more.

    A password or a provider's one-time code for who has no second factor.
    """

    password: Password | None = None
    oidc_code: OneTimeCode | None = None
    code_verifier: Verifier | None = Field(
        default=None, description="Of a native client, beside its one-time code."
    )


class PendingRequest(RequestModel):
    """A pending sign-in."""

    pending_token: PendingToken


class PendingCodeRequest(PendingRequest):
    """A pending sign-in, and a code of the app that was just set up."""

    code: TotpCode


class TotpCodeRequest(RequestModel):
    """A code of the app that was just set up."""

    code: TotpCode


class TotpOfferResponse(ResponseModel):
    """What an authenticator app is set up with; shown this once."""

    setup_key: str = Field(description="Base32, to be typed into the app.")
    uri: str = Field(description="otpauth://, to be shown as a QR code.")


class RecoveryCodesResponse(ResponseModel):
    """New recovery codes, shown this once; empty where the old ones stay."""

    recovery_codes: list[str]


class EnrolledResponse(TokenResponse):
    """Tokens, and the recovery codes that come with the first second factor."""

    recovery_codes: list[str]


class SecondFactorsResponse(ResponseModel):
    """What the caller has set up; no secret among it (MF-4)."""

    has_totp: bool
    passkeys: list[PasskeyResponse]
    recovery_codes_left: int
    is_enforced: bool = Field(description="Whether the caller must have a factor.")

    @classmethod
    def of(cls, overview: FactorOverview) -> Self:
        """Return the owner's view."""
        own = overview.factors
        return cls(
            has_totp=own.totp is not None,
            passkeys=[PasskeyResponse.of(passkey) for passkey in own.passkeys],
            recovery_codes_left=len(own.recovery_hashes),
            is_enforced=overview.is_enforced,
        )
