"""Bodies of sign-ins with providers, and of linked identities."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from services.auth.schemas.base import RequestModel, ResponseModel

OneTimeCode = Annotated[
    str, StringConstraints(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_-]+$")
]
Verifier = Annotated[
    str,
    StringConstraints(min_length=43, max_length=128, pattern=r"^[A-Za-z0-9._~-]+$"),
]


class ProviderResponse(ResponseModel):
    """A provider that people may sign in with."""

    provider_id: str
    name: str


class ProvidersResponse(ResponseModel):
    """Every provider of this installation, in the order to show them."""

    providers: list[ProviderResponse]


class CodeRequest(RequestModel):
    """A one-time code; native clients show their verifier, browsers their cookie."""

    code: OneTimeCode
    code_verifier: Verifier | None = None


class ExchangeRequest(CodeRequest):
    """A one-time code to sign in with."""

    device_name: Annotated[str, StringConstraints(max_length=64)] = ""
    use_cookie: bool = Field(
        default=False, description="Put the refresh token into the browser's cookie."
    )


class IdentityResponse(ResponseModel):
    """An identity that may sign in to the caller's account."""

    provider_id: str
    name: str
    linked_at: datetime


class IdentitiesResponse(ResponseModel):
    """The caller's linked identities."""

    items: list[IdentityResponse]
