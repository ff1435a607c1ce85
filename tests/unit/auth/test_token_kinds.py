"""Five kinds of tokens, five readers: each takes its own alone (JW-2).

Nothing is shared by token yet; a provider's logout token stands in that place.
"""

import json
import secrets

import pytest

from libs.chassis.security import (
    AccessTokenVerifier,
    InternalTokenSigner,
    InternalTokenVerifier,
    Principal,
    TokenInvalidError,
)
from libs.crypto import KeyRing, SigningKey, SigningKeys, public_keys
from libs.crypto.jwk import jwks
from libs.kernel import FrozenClock, new_id
from services.auth.domain import Provider
from services.auth.domain.errors import (
    ProviderTokenInvalidError,
    RefreshTokenInvalidError,
)
from services.auth.ports import ProviderKey
from services.auth.service import AccessTokens, RefreshTokens
from services.auth.service.id_tokens import check_id_token, check_logout_token
from tests.support.identity_provider import Signer, StubProvider

ISSUER = "https://chat.example.test"
# The worst case: a provider with our own address, our own audience and our own keys.
PROVIDER = Provider(provider_id="acme", name="Acme", issuer=ISSUER, client_id="parley")
KINDS = ("access", "internal", "id", "logout", "refresh")
REFUSALS = (TokenInvalidError, ProviderTokenInvalidError, RefreshTokenInvalidError)


class OwnKeys(StubProvider):
    """A provider that publishes our keys beside its own."""

    ours: dict

    async def key(self, kid):
        """Return a key of either."""
        own = self.ours.get(kid)
        return ProviderKey("EdDSA", own) if own else await super().key(kid)


@pytest.fixture
def kinds(tmp_path):
    """A good token of each kind, and who reads it."""
    clock = FrozenClock()
    now = clock.now().timestamp()
    signing, internal_key = SigningKeys.generate("k1"), SigningKey.generate("gateway:1")
    key_file, jwks_file = tmp_path / "key.json", tmp_path / "jwks.json"
    key_file.write_text(json.dumps(internal_key.to_jwk()))
    key_file.chmod(0o600)
    # Both key sets hold both keys: only the kind tells them apart.
    jwks_file.write_text(json.dumps(jwks([internal_key, signing.current])))
    public = public_keys(jwks([internal_key, signing.current]))
    internal = InternalTokenVerifier(jwks_file, "parley", clock)
    internal.load()
    provider = OwnKeys(PROVIDER, Signer(ISSUER, "parley", lambda: now))
    provider.ours = public
    refresh = RefreshTokens(KeyRing.generate())
    access = AccessTokens(signing, issuer=ISSUER, clock=clock)
    signer = InternalTokenSigner(key_file, "gateway", clock)

    class Keys:
        async def key(self, kid):
            return public.get(kid)

    async def read_internal(token):
        return internal.verify(token)

    async def read_refresh(token):
        return refresh.parse(token)

    common = {"provider": PROVIDER, "client": provider, "now": now}
    tokens = {
        "access": access.issue(new_id(), new_id(), ("member",)),
        "internal": signer.token("parley", Principal(new_id(), new_id())),
        "id": provider.signer.id_token("n", sid="s"),
        "logout": provider.signer.logout_token(sid="s"),
        "refresh": refresh.root(new_id()).text,
    }
    readers = {
        "access": AccessTokenVerifier(Keys(), ISSUER, clock).verify,
        "internal": read_internal,
        "id": lambda token: check_id_token(token, "", nonce="n", **common),
        "logout": lambda token: check_logout_token(token, **common),
        "refresh": read_refresh,
    }
    return tokens, readers


@pytest.mark.parametrize("reader", KINDS)
@pytest.mark.parametrize("kind", KINDS)
async def test_jw_2_only_the_diagonal_is_taken(kinds, kind, reader):
    """JW-2: even where issuer, audience and keys are the same."""
    tokens, readers = kinds
    if kind == reader:
        assert await readers[reader](tokens[kind])
    else:
        with pytest.raises(REFUSALS):
            await readers[reader](tokens[kind])


@pytest.mark.parametrize("reader", KINDS)
async def test_az_1_a_sign_in_that_waits_passes_for_no_token(kinds, reader):
    """AZ-1, MF-3: the caller ``pre_mfa``: what it holds is taken by no reader."""
    _, readers = kinds
    with pytest.raises(REFUSALS):
        await readers[reader](secrets.token_urlsafe(32))
