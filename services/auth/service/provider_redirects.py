"""What browsers carry to a provider and bring home from it."""

from dataclasses import dataclass
from urllib.parse import urlencode

from services.auth.domain import (
    Destination,
    FlowPurpose,
)

# What the fragment calls what a browser brings home, by what it was sent for.
_BROUGHT = {
    FlowPurpose.SIGN_IN: "oidc_",
    FlowPurpose.LINK: "oidc_link_",
    FlowPurpose.STEP_UP: "oidc_step_up_",
}


@dataclass(frozen=True)
class Departure:
    """A browser that leaves for a provider.

    Attributes:
        address: Of the provider.
        binding: Goes into the browser's short-lived cookie.
    """

    address: str
    binding: str


@dataclass(frozen=True)
class Answer:
    """What a provider's redirect carries; everything is the sender's word.

    Attributes:
        issuer: Parameter ``iss``; None without one.
        binding: Of the browser's cookie; empty without one.
    """

    state: str
    binding: str
    code: str = ""
    error: str = ""
    issuer: str | None = None


@dataclass(frozen=True)
class Arrival:
    """A browser that came back, and where it goes now."""

    destination: Destination
    purpose: FlowPurpose
    code: str = ""
    error: str = ""

    @property
    def address(self) -> str:
        """The address with the code or the error.

        In the fragment for the web client, which no server and no log sees; in the
        query for a native client (RFC 8252), whom the code alone does not help.
        """
        name = "code" if self.code else "error"
        if self.destination.challenge is None:
            kind = _BROUGHT[self.purpose]
            fragment = urlencode({f"{kind}{name}": self.code or self.error})
            return f"{self.destination.address}#{fragment}"
        values = {name: self.code or self.error}
        if self.destination.client_state:
            values["state"] = self.destination.client_state
        return f"{self.destination.address}?{urlencode(values)}"
