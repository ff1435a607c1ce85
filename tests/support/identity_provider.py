"""An OpenID provider of the tests, which lies as it is told to (OI-1)."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from services.auth.domain import Provider
from services.auth.domain.errors import ProviderRefusedError
from services.auth.ports import ProviderKey, ProviderTokens
from services.auth.service import provider_keys

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
WEAK = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - to be refused
P256 = ec.generate_private_key(ec.SECP256R1())
ED25519 = ed25519.Ed25519PrivateKey.generate()
KEYS = {"rsa": (RSA, "RS256"), "ec": (P256, "ES256"), "ed": (ED25519, "EdDSA")}
STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"


def b64(document: object) -> str:
    """Base64url without padding, of JSON where it is no bytes."""
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def public_jwk(kid: str, key: Any, algorithm: str) -> dict[str, Any]:
    """Return a public key as a provider publishes it."""
    made = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)
    return {**made, "kid": kid, "use": "sig", "alg": algorithm}


def jwks() -> dict[str, Any]:
    """Return the provider's key set."""
    return {"keys": [public_jwk(kid, *pair) for kid, pair in KEYS.items()]}


def at_hash(access_token: str) -> str:
    """Return the hash that RS256 and ES256 tokens carry."""
    return b64(hashlib.sha256(access_token.encode()).digest()[:16])


@dataclass
class Signer:
    """Signs tokens with a provider's keys."""

    issuer: str
    client_id: str
    now: Callable[[], float] = time.time

    def id_token(self, nonce: str, /, *, kid: str = "rsa", **claims: Any) -> str:
        """Return an ID token; claims given as None are left out."""
        return self.signed(self.claims() | {"nonce": nonce} | claims, kid=kid)

    def logout_token(self, *, kid: str = "rsa", typ: str | None = None, **claims: Any):
        """Return a logout token."""
        said = {
            "events": {LOGOUT_EVENT: {}},
            "sub": None,
            "jti": b64(str(time.time_ns())),
        }
        return self.signed(
            self.claims() | said | claims, kid=kid, typ=typ or "logout+jwt"
        )

    def claims(self) -> dict[str, Any]:
        """Return the claims of a good token."""
        now = int(self.now())
        return {
            "iss": self.issuer,
            "aud": self.client_id,
            "sub": "subject-1",
            "iat": now,
            "exp": now + 300,
        }

    def signed(self, claims: Mapping[str, Any], *, kid: str, typ: str = "JWT") -> str:
        """Sign claims with the key of an id."""
        key, algorithm = KEYS[kid]
        kept = {name: value for name, value in claims.items() if value is not None}
        headers = {"kid": kid, "typ": typ}
        return jwt.encode(kept, key, algorithm, headers=headers)

    def forged(self, header: Mapping[str, Any], nonce: str, secret: bytes = b"") -> str:
        """Return a token under any header: with HMAC of a secret, or a stranger's."""
        kept = {name: value for name, value in header.items() if value is not None}
        text = f"{b64(kept)}.{b64(self.claims() | {'nonce': nonce})}"
        if secret:
            return f"{text}.{b64(hmac.digest(secret, text.encode(), hashlib.sha256))}"
        algorithm = jwt.get_algorithm_by_name("RS256")
        return f"{text}.{b64(algorithm.sign(text.encode(), STRANGER))}"


@dataclass
class StubProvider:
    """A provider in memory: signs people in at once, and lies as it is told to.

    Attributes:
        lie: Claims of the next ID tokens.
        tokens: What a code gives instead, by code.
        said: What userinfo says.
    """

    provider: Provider
    signer: Signer
    is_sending_issuer: bool = False
    lie: dict[str, Any] = field(default_factory=dict)
    tokens: dict[str, ProviderTokens] = field(default_factory=dict)
    said: dict[str, Any] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    verifiers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, provider: Provider) -> "StubProvider":
        """Return the stub of a configured provider."""
        return cls(provider, Signer(provider.issuer, provider.client_id))

    async def authorization_address(self, parameters: Mapping[str, str]) -> str:
        """Return a page that nobody has to open."""
        query = "&".join(f"{name}={value}" for name, value in parameters.items())
        return f"{self.provider.issuer}/authorize?{query}"

    async def sends_issuer(self) -> bool:
        """Tell whether it names itself in its redirects."""
        return self.is_sending_issuer

    async def key(self, kid: str) -> ProviderKey | None:
        """Return a key of the set."""
        return provider_keys(jwks()).get(kid)

    def approve(self, address: str) -> tuple[str, str]:
        """Sign somebody in on the page of an address; return code and state."""
        asked = dict(parse_qsl(urlsplit(address).query))
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        return code, asked["state"]

    async def redeem(
        self, code: str, *, verifier: str, redirect_uri: str
    ) -> ProviderTokens:
        """Give tokens for a code, once, to who asked for it."""
        if code in self.tokens:
            return self.tokens.pop(code)
        asked = self.codes.pop(code, None)
        digest = b64(hashlib.sha256(verifier.encode()).digest())
        if (
            asked is None
            or asked["code_challenge"] != digest
            or asked["redirect_uri"] != redirect_uri
        ):
            raise ProviderRefusedError
        email = {"email": "ann@acme.test", "email_verified": True, "name": "Ann"}
        claims = email | {"at_hash": at_hash("access")} | self.lie
        return ProviderTokens(self.signer.id_token(asked["nonce"], **claims), "access")

    async def userinfo(self, access_token: str) -> Mapping[str, Any]:
        """Say more of the person."""
        return self.said
