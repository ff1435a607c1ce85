"""Who a provider says somebody is, and the way that leads there and back."""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from libs.kernel import UserId

FLOW_LIFETIME = timedelta(minutes=10)
"""From our redirect to the provider until its redirect back."""

PROOF_LIFETIME = timedelta(minutes=1)
"""From the provider's redirect until the client has shown its one-time code."""

_SECRET_BYTES = 32


class FlowPurpose(StrEnum):
    """What a proven identity is wanted for; nothing else is done with it."""

    SIGN_IN = "sign_in"
    LINK = "link"
    STEP_UP = "step_up"


@dataclass(frozen=True)
class ProviderIdentity:
    """A person as a provider knows them.

    Issuer and subject are the identity; everything else may change or be given to
    somebody else, the mail address first of all (OI-2).

    Attributes:
        email: As the provider says; empty if it does not.
        is_email_verified: Whether it says that it checked.
        session_hash: Of the provider's session, for its logout; empty without one.
    """

    provider_id: str
    issuer: str
    subject: str
    email: str = ""
    is_email_verified: bool = False
    display_name: str = ""
    locale: str = ""
    session_hash: str = ""


@dataclass(frozen=True)
class ProviderLink:
    """An identity that may sign in to an account."""

    user_id: UserId
    provider_id: str
    issuer: str
    subject: str
    linked_at: datetime


@dataclass(frozen=True)
class Destination:
    """Where the browser goes after the provider.

    Attributes:
        address: Checked by `check_return_path` or `check_native_redirect`.
        challenge: S256 of the native client's own verifier; None for a browser.
        client_state: Handed back to a native client.
    """

    address: str
    challenge: str | None = None
    client_state: str = ""


@dataclass(frozen=True)
class FlowSecrets:
    """What binds a flow to a browser: nothing of it is stored.

    The verifier and the nonce follow from the browser's cookie and the state, so a
    stolen database finishes nobody's sign-in.
    """

    state: str
    binding: str

    @classmethod
    def generate(cls) -> "FlowSecrets":
        """Make both at random, 256 bits each."""
        return cls(
            secrets.token_urlsafe(_SECRET_BYTES), secrets.token_urlsafe(_SECRET_BYTES)
        )

    @property
    def verifier(self) -> str:
        """The PKCE code verifier towards the provider (RFC 7636)."""
        return self._derived("verifier")

    @property
    def nonce(self) -> str:
        """What the ID token has to carry."""
        return self._derived("nonce")

    def _derived(self, use: str) -> str:
        message = f"parley/auth/oidc/{use}/v1|{self.state}".encode()
        return _encode(hmac.digest(self.binding.encode(), message, hashlib.sha256))


@dataclass(frozen=True)
class ProviderFlow:
    """A browser that was sent to a provider and is expected back, once."""

    state_hash: str
    binding_hash: str
    provider_id: str
    purpose: FlowPurpose
    destination: Destination
    expires_at: datetime

    def is_of(self, provider_id: str, binding: str, at: datetime) -> bool:
        """Tell whether this provider's answer came to the browser that asked."""
        is_bound = hmac.compare_digest(self.binding_hash, hash_secret(binding))
        return is_bound and provider_id == self.provider_id and at < self.expires_at


@dataclass(frozen=True)
class ProviderProof:
    """An identity that was proven just now, to be redeemed once with a code.

    Attributes:
        binding_hash: Of the browser that it was proven in.
        challenge: Of the native client that asked for it; decides alone if given.
    """

    code_hash: str
    identity: ProviderIdentity
    purpose: FlowPurpose
    binding_hash: str
    challenge: str | None
    expires_at: datetime

    def fits(self, purpose: FlowPurpose, holder: "ProofHolder", at: datetime) -> bool:
        """Tell whether whoever shows the code is who the identity was proven for."""
        if purpose is not self.purpose or at >= self.expires_at:
            return False
        if self.challenge is not None:
            return hmac.compare_digest(self.challenge, challenge_of(holder.verifier))
        return hmac.compare_digest(self.binding_hash, hash_secret(holder.binding))


@dataclass(frozen=True)
class ProofHolder:
    """What shows that a code is the caller's: the cookie, or the verifier."""

    binding: str = ""
    verifier: str = ""


def hash_secret(text: str) -> str:
    """Return what is stored of a random secret: SHA-256 in hex."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def challenge_of(verifier: str) -> str:
    """Return the S256 challenge of a PKCE verifier (RFC 7636, section 4.2)."""
    raw = verifier.encode("utf-8", "surrogatepass")
    return _encode(hashlib.sha256(raw).digest())


def new_secret() -> str:
    """Return 256 random bits in base64url."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
