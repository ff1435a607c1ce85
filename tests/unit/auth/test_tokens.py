"""Access tokens as others check them, refresh tokens as only auth reads them."""

import base64
import json

import jwt
import pytest

from libs.chassis.security import AccessTokenVerifier, TokenInvalidError
from libs.crypto import KeyRing, SigningKeys, public_keys
from libs.kernel import FrozenClock, new_id
from services.auth.domain.errors import RefreshTokenInvalidError
from services.auth.service import AccessTokens, RefreshTokens

ISSUER = "https://chat.example.test"


class _Keys:
    def __init__(self, document):
        self._keys = public_keys(document)

    async def key(self, kid):
        return self._keys.get(kid)


@pytest.fixture
def clock():
    """A clock that stands still."""
    return FrozenClock()


@pytest.fixture
def access(clock):
    """An issuer with one key."""
    return AccessTokens(SigningKeys.generate("k1"), issuer=ISSUER, clock=clock)


@pytest.fixture
def refresh():
    """A maker of refresh tokens with one key."""
    return RefreshTokens(KeyRing.generate())


async def test_jw_1_issued_token_is_what_the_house_accepts(access, clock):
    """JW-1, JW-2: gateway's and chat's verifier takes a fresh token from the JWKS."""
    user_id, session_id = new_id(), new_id()
    token = access.issue(user_id, session_id, ("member",), authenticated_at=clock.now())
    claims = await AccessTokenVerifier(_Keys(access.jwks()), ISSUER, clock).verify(
        token
    )
    assert (claims.user_id, claims.session_id) == (user_id, session_id)
    assert claims.roles == ("member",)
    assert claims.expires_at - claims.issued_at == 300
    assert claims.authenticated_at == claims.issued_at
    assert jwt.get_unverified_header(token) == {
        "alg": "EdDSA",
        "typ": "at+jwt",
        "kid": "k1",
    }


async def test_jw_1_token_of_another_key_is_refused(access, clock):
    """JW-1: the same kid with another key does not verify."""
    other = AccessTokens(SigningKeys.generate("k1"), issuer=ISSUER, clock=clock)
    verifier = AccessTokenVerifier(_Keys(access.jwks()), ISSUER, clock)
    with pytest.raises(TokenInvalidError):
        await verifier.verify(other.issue(new_id(), new_id(), ()))


def test_jwks_holds_public_parts_alone(access):
    """JW-4, MA-2: every key is published, no private part ever."""
    for key in access.jwks()["keys"]:
        assert set(key) == {"kty", "crv", "kid", "use", "alg", "x"}


async def test_jw_2_refresh_token_is_no_access_token(access, refresh, clock):
    """JW-2: kinds never mix."""
    verifier = AccessTokenVerifier(_Keys(access.jwks()), ISSUER, clock)
    with pytest.raises(TokenInvalidError):
        await verifier.verify(refresh.root(new_id()).text)
    with pytest.raises(RefreshTokenInvalidError):
        refresh.parse(access.issue(new_id(), new_id(), ()))


def test_rt_1_refresh_token_is_256_bits_and_only_its_hash_is_stored(refresh):
    """RT-1: two roots differ; the hash says nothing about the token."""
    session_id = new_id()
    first, second = refresh.root(session_id), refresh.root(session_id)
    assert first.text != second.text
    assert len(first.secret) == 32
    assert len(first.hash) == 64
    assert first.hash not in first.text
    assert first.text not in repr(first)
    assert len(first.text) <= 256


def test_rt_2_child_is_the_same_each_time_and_belongs_to_its_family(refresh):
    """RT-2: parent and family decide the child; nothing else is needed."""
    parent = refresh.root(new_id())
    key_id = refresh.current_key_id
    assert refresh.child(parent, key_id) == refresh.child(parent, key_id)
    assert refresh.child(parent, key_id).text != parent.text
    assert refresh.parse(refresh.child(parent, key_id).text).session_id == (
        parent.session_id
    )


def test_refresh_token_survives_a_rotation_of_the_ring():
    """A token of the key before is read; its child is made by the new key."""
    ring = KeyRing.generate()
    before = RefreshTokens(ring)
    after = RefreshTokens(ring.rotated())
    parent = before.root(new_id())
    assert after.parse(parent.text) == parent
    child = after.child(parent, after.current_key_id)
    assert child.key_id == after.current_key_id != parent.key_id


def _joined(parts):
    return "~".join(parts)


def _broken(token):
    key_id, session_id, secret, tag = token.text.split("~")
    flipped = secret[:-2] + ("AA" if secret[-2:] != "AA" else "BB")
    return [
        "",
        "~~~",
        "x",
        token.text[:-1],
        token.text + "A",
        token.text + "=",
        _joined((key_id, new_id(), secret, tag)),
        _joined((key_id, session_id, flipped, tag)),
        _joined(("other", session_id, secret, tag)),
        _joined((key_id, session_id, secret, secret)),
        _joined((key_id, session_id, secret, "\ud800")),
        _joined((key_id, session_id, "\u00e9" * 43, tag)),
        _joined((key_id, session_id.upper(), secret, tag)),
        _joined((key_id, session_id, secret, tag, tag)),
        "A" * 100_000,
        json.dumps({"$ne": ""}),
        base64.b64encode(token.text.encode()).decode(),
    ]


def test_rt_1_invented_or_altered_token_is_told_from_a_replayed_one(refresh):
    """RT-1: only a genuine token can end a family; an invented one is just refused."""
    for text in _broken(refresh.root(new_id())):
        with pytest.raises(RefreshTokenInvalidError):
            refresh.parse(text)
