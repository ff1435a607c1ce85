"""Key files of the services: rings, signing keys, internal keys, FCM account."""

import base64
import json
import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from deploy.embedded.layout import Stack, write_private
from deploy.embedded.passwords import SERVICES, STORES

RINGS = {
    "auth": ("pepper", "refresh", "audit"),
    "chat": ("audit",),
    "media": ("audit",),
    "project": ("audit",),
}
"""Rings that one service alone holds, beside its storage ring."""

SHARED_RINGS = {
    "message-transport": ("chat", "notification"),
    "account-transport": ("auth", "notification"),
    "project-transport": ("project", "notification"),
}
"""Rings whose content several services hold: the sealed fields of events."""

FCM_PROJECT = "parley-embedded"


def ensure_keys(stack: Stack) -> None:
    """Make the key files that are missing; never change one that is there."""
    for service in STORES:
        for ring in ("storage", *RINGS.get(service, ())):
            _ensure(ring_file(stack, service, ring), _new_ring)
    for ring, holders in SHARED_RINGS.items():
        _share_ring(stack, ring, holders)
    _ensure(signing_file(stack), _new_signing_set)
    for caller in SERVICES:
        _ensure(internal_file(stack, caller), partial(_new_jwk, f"{caller}:1"))
    _publish_internal_keys(stack)
    _ensure_fcm_account(stack)


def ring_file(stack: Stack, service: str, ring: str) -> Path:
    """Return the file of a key ring as one service holds it."""
    return stack.secrets / service / f"{ring}-keys.json"


def signing_file(stack: Stack) -> Path:
    """Return the private JWK set with which auth signs access tokens."""
    return stack.secrets / "auth" / "signing-keys.json"


def internal_file(stack: Stack, caller: str) -> Path:
    """Return the private JWK with which a service signs its internal tokens."""
    return stack.secrets / caller / "internal-key.json"


def internal_jwks_file(stack: Stack) -> Path:
    """Return the public JWK set by which every service knows its callers."""
    return stack.secrets / "public" / "internal-jwks.json"


def fcm_account_file(stack: Stack) -> Path:
    """Return the service account that firebase-admin signs in with."""
    return stack.secrets / "notification" / "fcm-account.json"


def _ensure(path: Path, make: Callable[[], dict[str, Any]]) -> None:
    if not path.exists():
        write_private(path, json.dumps(make()))


def _new_ring() -> dict[str, Any]:
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    return {"current": "1", "keys": {"1": key}}


def _share_ring(stack: Stack, ring: str, holders: tuple[str, ...]) -> None:
    files = [ring_file(stack, holder, ring) for holder in holders]
    existing = next((file for file in files if file.exists()), None)
    content = existing.read_text() if existing else json.dumps(_new_ring())
    for file in files:
        if not file.exists():
            write_private(file, content)


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _new_jwk(key_id: str) -> dict[str, str]:
    key = Ed25519PrivateKey.generate()
    return {
        "kty": "OKP",
        "crv": "Ed25519",
        "kid": key_id,
        "alg": "EdDSA",
        "use": "sig",
        "x": _base64url(key.public_key().public_bytes_raw()),
        "d": _base64url(key.private_bytes_raw()),
    }


def _new_signing_set() -> dict[str, Any]:
    key_id = secrets.token_hex(8)
    return {"current": key_id, "keys": [_new_jwk(key_id)]}


def _publish_internal_keys(stack: Stack) -> None:
    public = []
    for caller in SERVICES:
        jwk = json.loads(internal_file(stack, caller).read_text())
        public.append({name: value for name, value in jwk.items() if name != "d"})
    write_private(internal_jwks_file(stack), json.dumps({"keys": public}))


def _ensure_fcm_account(stack: Stack) -> None:
    path = fcm_account_file(stack)
    token_uri = f"{stack.url('fcm_control')}/token"
    if path.exists():
        account = json.loads(path.read_text())
        if account["token_uri"] == token_uri:
            return
    else:
        account = _new_fcm_account()
    write_private(path, json.dumps(account | {"token_uri": token_uri}))


def _new_fcm_account() -> dict[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return {
        "type": "service_account",
        "project_id": FCM_PROJECT,
        "private_key_id": secrets.token_hex(20),
        "private_key": pem.decode(),
        "client_email": f"push@{FCM_PROJECT}.iam.gserviceaccount.com",
        "client_id": "1",
        "universe_domain": "googleapis.com",
    }
