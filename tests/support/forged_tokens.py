"""Access tokens as auth makes them, and as an attacker would (JW-1, JW-2)."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives import serialization

from libs.chassis.tokens import sign_token
from libs.crypto import SigningKey
from libs.crypto.jwk import jwks
from libs.kernel import new_id

STRANGER = SigningKey.generate("stranger")


@dataclass
class Tokens:
    """Makes access tokens as auth would."""

    key: SigningKey
    issuer: str

    def access(
        self, *, typ: str = "at+jwt", key: SigningKey | None = None, **claims: Any
    ) -> str:
        """Return a token; claims given as None are left out."""
        kept = {k: v for k, v in (self.claims() | claims).items() if v is not None}
        return sign_token(key or self.key, kept, typ=typ)

    def claims(self) -> dict[str, Any]:
        """Return the claims of a good token."""
        now = int(time.time())
        return {
            "iss": self.issuer,
            "aud": "parley",
            "sub": new_id(),
            "sid": new_id(),
            "jti": new_id(),
            "iat": now,
            "exp": now + 300,
            "roles": ["member"],
        }

    def forged(self, **header: Any) -> str:
        """Sign good claims with a stranger's key under a header of their choice."""
        head = {"alg": "EdDSA", "typ": "at+jwt", "kid": self.key.kid} | header
        kept = {name: value for name, value in head.items() if value is not None}
        signing = f"{_encode(kept)}.{_encode(self.claims())}"
        return f"{signing}.{_encode(STRANGER.private_key.sign(signing.encode()))}"

    def confused(self, secret: bytes) -> str:
        """Sign with HMAC and what everybody knows, our public key, as secret."""
        head = {"alg": "HS256", "typ": "at+jwt", "kid": self.key.kid}
        signing = f"{_encode(head)}.{_encode(self.claims())}"
        mac = hmac.new(secret, signing.encode(), hashlib.sha256).digest()
        return f"{signing}.{_encode(mac)}"

    def public(self, encoding: serialization.Encoding) -> bytes:
        """Return our public key as a file would hold it."""
        return self.key.private_key.public_key().public_bytes(
            encoding, serialization.PublicFormat.SubjectPublicKeyInfo
        )


@dataclass
class Canary:
    """An attacker's server: it has the key that would make a forgery good."""

    url: str = ""
    hits: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        """Note that somebody came, and hand out the key."""
        self.hits.append(request.path)
        return web.json_response(jwks([STRANGER]))


Forge = Callable[[Tokens, str], str]
_ENCODING = serialization.Encoding


def _nan(tokens: Tokens) -> str:
    header, payload, signature = tokens.access(exp=1234567).split(".")
    text = base64.urlsafe_b64decode(payload + "==").replace(b"1234567", b"NaN")
    return f"{header}.{_encode(text)}.{signature}"


def _cut(token: str) -> str:
    return token[:-8]


FORGERIES: dict[str, Forge] = {
    "no words": lambda _, __: "nonsense",
    "three parts of nothing": lambda _, __: "a.b.c",
    "alg none": lambda t, _: t.forged(alg="none"),
    "alg None": lambda t, _: t.forged(alg="None"),
    "alg nOnE, unsigned": lambda t, _: t.forged(alg="nOnE").rpartition(".")[0] + ".",
    "no alg": lambda t, _: t.forged(alg=None),
    "alg HS256 with our PEM": lambda t, _: t.confused(t.public(_ENCODING.PEM)),
    "alg HS256 with our DER": lambda t, _: t.confused(t.public(_ENCODING.DER)),
    "alg HS256 with our JWK": lambda t, _: t.confused(
        json.dumps(t.key.public_jwk()).encode()
    ),
    "alg RS256": lambda t, _: t.forged(alg="RS256"),
    "alg ES256": lambda t, _: t.forged(alg="ES256"),
    "jwk": lambda t, _: t.forged(jwk=STRANGER.public_jwk()),
    "jwk and its kid": lambda t, _: t.forged(jwk=STRANGER.public_jwk(), kid="stranger"),
    "jku": lambda t, url: t.forged(jku=url),
    "jku and its kid": lambda t, url: t.forged(jku=url, kid="stranger"),
    "x5u": lambda t, url: t.forged(x5u=url),
    "x5c": lambda t, _: t.forged(x5c=["MIIB"]),
    "address as kid": lambda t, url: t.forged(kid=url),
    "path in kid": lambda t, _: t.forged(kid="../../dev/null"),
    "operator in kid": lambda t, _: t.forged(kid={"$gt": ""}),
    "unknown kid": lambda t, _: t.forged(kid="other"),
    "unknown crit": lambda t, _: t.forged(crit=["exp2"], exp2=1),
    "b64 false": lambda t, _: t.forged(b64=False, crit=["b64"]),
    "other key": lambda t, _: t.forged(),
    "duplicate keys": lambda t, _: (
        base64.urlsafe_b64encode(
            b'{"alg":"none","alg":"EdDSA","typ":"at+jwt","kid":"test-key"}'
        ).decode()
        + t.access()[t.access().index(".") :]
    ),
    "JWE": lambda t, _: f"{t.access()}.a.b",
    "nested": lambda t, _: sign_token(t.key, {"jwt": t.access()}, typ="at+jwt"),
    "exp NaN": lambda t, _: _nan(t),
    "deep": lambda t, _: t.access(roles=[[[[[["x"]]]]]]),
    "100 kB": lambda t, _: t.access(extra="x" * 100_000),
    "cut signature": lambda t, _: _cut(t.access()),
    "cut claims": lambda t, _: t.access().replace(".", ".A", 1),
    "typ JWT": lambda t, _: t.access(typ="JWT"),
    "internal token": lambda t, _: t.access(typ="internal+jwt"),
    "wrong iss": lambda t, _: t.access(iss="http://evil.test"),
    "wrong aud": lambda t, _: t.access(aud="chat"),
    "aud list": lambda t, _: t.access(aud=["parley", "chat"]),
    "exp text": lambda t, _: t.access(exp="soon"),
    "iat 40 s ahead": lambda t, _: t.access(iat=int(time.time()) + 40),
    "operator in sub": lambda t, _: t.access(sub={"$ne": None}),
    **{
        f"no {name}": lambda t, _, name=name: t.access(**{name: None})
        for name in ("aud", "iss", "sub", "sid", "jti", "exp", "iat")
    },
}
"""By name: a function of our tokens and of the canary's address."""


def _encode(document: object) -> str:
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
