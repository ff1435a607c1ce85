"""Bodies of passkeys: what browsers make is read leniently, what we use is bounded."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.auth.domain import Passkey
from services.auth.schemas.base import RequestModel, ResponseModel

_Base64 = StringConstraints(min_length=1, pattern=r"^[A-Za-z0-9_\-]+$")
CredentialId = Annotated[str, _Base64, StringConstraints(max_length=1_400)]
Bytes = Annotated[str, _Base64, StringConstraints(max_length=16_384)]
PendingToken = Annotated[str, StringConstraints(min_length=1, max_length=128)]
PasskeyName = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class _BrowserModel(BaseModel):
    """Part of ``PublicKeyCredential.toJSON()``; what we do not use is dropped."""

    model_config = ConfigDict(extra="ignore", strict=True)


class Registration(_BrowserModel):
    """``AuthenticatorAttestationResponse``."""

    clientDataJSON: Bytes  # noqa: N815 - the browser's name
    attestationObject: Bytes  # noqa: N815 - as above


class CredentialProperties(_BrowserModel):
    """``CredentialPropertiesOutput``."""

    rk: bool | None = None


class RegistrationExtensions(_BrowserModel):
    """``AuthenticationExtensionsClientOutputs``."""

    credProps: CredentialProperties | None = None  # noqa: N815 - the browser's name


class RegistrationCredential(_BrowserModel):
    """What ``navigator.credentials.create`` made."""

    id: CredentialId
    rawId: CredentialId  # noqa: N815 - the browser's name
    type: Literal["public-key"]
    response: Registration
    clientExtensionResults: RegistrationExtensions | None = None  # noqa: N815 - as above

    def document(self) -> dict[str, Any]:
        """Return it as it came."""
        return self.model_dump(exclude_none=True)


class Assertion(_BrowserModel):
    """``AuthenticatorAssertionResponse``."""

    clientDataJSON: Bytes  # noqa: N815 - the browser's name
    authenticatorData: Bytes  # noqa: N815 - as above
    signature: Bytes
    userHandle: CredentialId | None = None  # noqa: N815 - as above


class AssertionCredential(_BrowserModel):
    """What ``navigator.credentials.get`` made."""

    id: CredentialId
    rawId: CredentialId  # noqa: N815 - the browser's name
    type: Literal["public-key"]
    response: Assertion

    def document(self) -> dict[str, Any]:
        """Return it as it came."""
        return self.model_dump(exclude_none=True)


class PasskeyRequest(RequestModel):
    """A new passkey of the caller."""

    name: PasskeyName
    credential: RegistrationCredential


class PendingPasskeyRequest(PasskeyRequest):
    """A pending sign-in, and the passkey that it is finished with."""

    pending_token: PendingToken


class PasskeyNameRequest(RequestModel):
    """A passkey's new name."""

    name: PasskeyName


class PasskeyLoginRequest(RequestModel):
    """A sign-in with a passkey alone."""

    credential: AssertionCredential
    device_name: Annotated[str, StringConstraints(max_length=64)] = ""
    use_cookie: bool = False


class PasskeyResponse(ResponseModel):
    """One of the caller's passkeys."""

    passkey_id: str
    name: str
    created_at: datetime
    last_used_at: datetime | None

    @classmethod
    def of(cls, passkey: Passkey) -> "PasskeyResponse":
        """Return the owner's view."""
        return cls(
            passkey_id=passkey.passkey_id,
            name=passkey.name,
            created_at=passkey.created_at,
            last_used_at=passkey.last_used_at,
        )


class PasskeyAddedResponse(ResponseModel):
    """A new passkey, and the recovery codes of a first factor, shown this once."""

    passkey: PasskeyResponse
    recovery_codes: list[str]


class PasskeyOptionsResponse(ResponseModel):
    """What the browser's ``parse...OptionsFromJSON`` takes."""

    options: dict[str, Any] = Field(
        description="PublicKeyCredentialCreationOptionsJSON or ...RequestOptionsJSON."
    )
