"""The keys of providers: which we take, each for one algorithm."""

from collections.abc import Mapping
from typing import Any, Final

import jwt

from libs.kernel import InvalidError
from services.auth.ports import ProviderKey

ALGORITHMS: Final = ("RS256", "ES256", "EdDSA")
_KINDS = {("RSA", None): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}
_KEYS_MAX = 100
_RSA_BITS_MIN = 2048


def provider_keys(document: object) -> dict[str, ProviderKey]:
    """Read a provider's JWKS; keys that we do not take are left out.

    Taken are RSA of at least 2,048 bits, P-256 and Ed25519, for signatures, with an id.

    Raises:
        InvalidError: It is no JWKS document of at most 100 keys.
    """
    entries = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(entries, list) or len(entries) > _KEYS_MAX:
        raise InvalidError("jwks_invalid", "Not a JWKS document.")
    found: dict[str, ProviderKey] = {}
    for entry in entries:
        key = _key(entry) if isinstance(entry, dict) else None
        kid = entry.get("kid") if isinstance(entry, dict) else None
        if key is not None and isinstance(kid, str):
            found[kid] = key
    return found


def _key(entry: dict[str, Any]) -> ProviderKey | None:
    kind = str(entry.get("kty"))
    algorithm = _KINDS.get((kind, None if kind == "RSA" else str(entry.get("crv"))))
    is_ours = (
        algorithm is not None
        and entry.get("use", "sig") == "sig"
        and entry.get("alg", algorithm) == algorithm
    )
    if not is_ours:
        return None
    try:
        key = jwt.PyJWK(entry, algorithm=algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    if algorithm == "RS256" and key.key_size < _RSA_BITS_MIN:
        return None
    return ProviderKey(str(algorithm), key)
