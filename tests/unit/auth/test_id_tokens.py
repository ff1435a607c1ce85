"""What a provider signed: only the exact answer to our request is taken (OI-1)."""

import json

import pytest
from cryptography.hazmat.primitives import serialization

from libs.kernel import InvalidError
from services.auth.domain import Provider
from services.auth.domain.errors import ProviderTokenInvalidError
from services.auth.service import provider_keys
from services.auth.service.id_tokens import (
    check_id_token,
    check_logout_token,
    identity_of,
)
from tests.support.identity_provider import (
    RSA,
    WEAK,
    Signer,
    StubProvider,
    at_hash,
    b64,
    jwks,
    public_jwk,
)

ISSUER = "https://idp.acme.test"
PROVIDER = Provider(provider_id="acme", name="Acme", issuer=ISSUER, client_id="parley")
STUB = StubProvider.of(PROVIDER)
NOW = 1_800_000_000
SIGNER = Signer(ISSUER, "parley", lambda: NOW)
NONCE = "nonce-1"
PEM = RSA.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)


async def _checked(token, given="access"):
    return await check_id_token(
        token,
        given,
        provider=PROVIDER,
        client=STUB,
        nonce=NONCE,
        now=NOW,
    )


@pytest.mark.parametrize("kid", ["rsa", "ec", "ed"])
async def test_oi_1_good_token_of_each_algorithm_is_taken(kid):
    """OI-1: RS256, ES256 and EdDSA, by the key that the token names."""
    claims = await _checked(SIGNER.id_token(NONCE, kid=kid))
    assert claims["sub"] == "subject-1"


def _header(**changes):
    return {"alg": "RS256", "typ": "JWT", "kid": "rsa"} | changes


LIES = {
    "wrong iss": lambda: SIGNER.id_token(NONCE, iss="https://idp.evil.test"),
    "iss with a slash": lambda: SIGNER.id_token(NONCE, iss=f"{ISSUER}/"),
    "no iss": lambda: SIGNER.id_token(NONCE, iss=None),
    "wrong aud": lambda: SIGNER.id_token(NONCE, aud="other"),
    "no aud": lambda: SIGNER.id_token(NONCE, aud=None),
    "aud without us": lambda: SIGNER.id_token(NONCE, aud=["other", "third"]),
    "two audiences, no azp": lambda: SIGNER.id_token(NONCE, aud=["parley", "other"]),
    "wrong azp": lambda: SIGNER.id_token(NONCE, azp="other"),
    "azp of the other": lambda: SIGNER.id_token(
        NONCE, aud=["parley", "other"], azp="other"
    ),
    "wrong nonce": lambda: SIGNER.id_token("nonce-2"),
    "no nonce": lambda: SIGNER.id_token(NONCE, nonce=None),
    "nonce is a list": lambda: SIGNER.id_token(NONCE, nonce=[NONCE]),
    "expired": lambda: SIGNER.id_token(NONCE, iat=NOW - 400, exp=NOW - 60),
    "no exp": lambda: SIGNER.id_token(NONCE, exp=None),
    "exp text": lambda: SIGNER.id_token(NONCE, exp=str(NOW + 300)),
    "no iat": lambda: SIGNER.id_token(NONCE, iat=None),
    "iat to come": lambda: SIGNER.id_token(NONCE, iat=NOW + 90, exp=NOW + 300),
    "iat long ago": lambda: SIGNER.id_token(NONCE, iat=NOW - 700),
    "wrong at_hash": lambda: SIGNER.id_token(NONCE, at_hash=at_hash("other")),
    "no sub": lambda: SIGNER.id_token(NONCE, sub=None),
    "empty sub": lambda: SIGNER.id_token(NONCE, sub=""),
    "sub is a number": lambda: SIGNER.signed(
        SIGNER.claims() | {"nonce": NONCE, "sub": [1]}, kid="rsa"
    ),
    "long sub": lambda: SIGNER.id_token(NONCE, sub="x" * 256),
    "alg none": lambda: SIGNER.forged(_header(alg="none"), NONCE),
    "alg none, unsigned": lambda: (
        SIGNER.forged(_header(alg="none"), NONCE).rpartition(".")[0] + "."
    ),
    "alg HS256 with the public key": lambda: SIGNER.forged(
        _header(alg="HS256"), NONCE, PEM
    ),
    "alg RS384": lambda: SIGNER.forged(_header(alg="RS384"), NONCE),
    "alg of another key": lambda: SIGNER.forged(_header(alg="ES256"), NONCE),
    "no alg": lambda: SIGNER.forged(_header(alg=None), NONCE),
    "unknown kid": lambda: SIGNER.forged(_header(kid="other"), NONCE),
    "no kid": lambda: SIGNER.forged(_header(kid=None), NONCE),
    "stranger's signature": lambda: SIGNER.forged(_header(), NONCE),
    "jwk in the header": lambda: SIGNER.forged(_header(jwk={"kty": "RSA"}), NONCE),
    "crit": lambda: SIGNER.forged(_header(crit=["x"], x=1), NONCE),
    "access token as ID token": lambda: SIGNER.signed(
        SIGNER.claims() | {"nonce": NONCE}, kid="rsa", typ="at+jwt"
    ),
    "logout token as ID token": lambda: SIGNER.logout_token(
        sub="subject-1", nonce=NONCE
    ),
    "changed claims": lambda: ".".join(
        b64(SIGNER.claims() | {"nonce": NONCE, "sub": "admin"}) if place == 1 else part
        for place, part in enumerate(SIGNER.id_token(NONCE).split("."))
    ),
    "no token": lambda: "",
    "garbage": lambda: "a.b.c",
    "no JSON": lambda: f"{b64(b'[]')}.{b64(b'[]')}.{b64(b'x')}",
    "100 kB": lambda: SIGNER.id_token(NONCE, pad="x" * 100_000),
    "deep": lambda: SIGNER.id_token(NONCE, pad=[[[[[[[["x"]]]]]]]]),
}


@pytest.mark.parametrize("name", LIES)
async def test_oi_1_id_token_of_a_misbehaving_provider_is_refused(name):
    """OI-1: one error for all; the reason stays in our log."""
    with pytest.raises(ProviderTokenInvalidError) as caught:
        await _checked(LIES[name]())
    assert caught.value.code == "provider_token_invalid"
    assert caught.value.details == {}


async def test_oi_1_at_hash_binds_the_access_token():
    """OI-1: where it is there, the access token has to be the one it names."""
    token = SIGNER.id_token(NONCE, at_hash=at_hash("access"))
    assert await _checked(token)
    with pytest.raises(ProviderTokenInvalidError):
        await _checked(token, "another")


async def test_clocks_may_differ_by_thirty_seconds():
    """As everywhere in the house (JW-3)."""
    assert await _checked(SIGNER.id_token(NONCE, iat=NOW + 20))
    assert await _checked(SIGNER.id_token(NONCE, iat=NOW - 300, exp=NOW - 10))


def test_identity_takes_what_is_text_and_verified_only_in_so_many_words():
    """OI-2: a claim of another type says nothing."""
    claims = SIGNER.claims() | {"email": "a@b.test", "name": 7, "locale": "x" * 99}
    for verified, expected in (
        (True, True),
        ("true", True),
        (1, False),
        ("1", False),
        ("True", False),
        (None, False),
    ):
        identity = identity_of(claims | {"email_verified": verified}, PROVIDER)
        assert identity.is_email_verified is expected
        assert (identity.display_name, identity.locale) == ("", "")
    assert identity_of(SIGNER.claims(), PROVIDER).session_hash == ""
    assert identity_of(claims | {"sid": "s"}, PROVIDER).session_hash


def test_keys_that_we_do_not_take_are_left_out():
    """Weak, symmetric, for encryption, without an id, or broken ones."""
    good = public_jwk("good", RSA, "RS256")
    document = {
        "keys": [
            good,
            public_jwk("weak", WEAK, "RS256"),
            {"kty": "oct", "kid": "oct", "k": "c2VjcmV0"},
            good | {"kid": "enc", "use": "enc"},
            good | {"kid": "alg", "alg": "RS512"},
            good | {"kid": None},
            good | {"kid": "broken", "n": "!"},
            {"kty": "EC", "crv": "P-521", "kid": "p521"},
            "no key",
        ]
    }
    assert set(provider_keys(document)) == {"good"}
    assert {one.algorithm for one in provider_keys(jwks()).values()} == {
        "RS256",
        "ES256",
        "EdDSA",
    }


@pytest.mark.parametrize("document", [None, [], {}, {"keys": {}}, {"keys": [1] * 101}])
def test_document_that_is_no_key_set_is_refused(document):
    """NO-1: nothing is guessed from garbage."""
    with pytest.raises(InvalidError):
        provider_keys(document)


async def _logged_out(token):
    return await check_logout_token(token, provider=PROVIDER, client=STUB, now=NOW)


@pytest.mark.parametrize("typ", ["logout+jwt", "JWT"])
async def test_logout_token_names_a_session_or_a_person(typ):
    """Back-Channel Logout 1.0, section 2.4."""
    notice = await _logged_out(SIGNER.logout_token(typ=typ, sid="s1"))
    assert (notice.session, notice.subject) == ("s1", "")
    notice = await _logged_out(SIGNER.logout_token(typ=typ, sub="subject-1"))
    assert (notice.session, notice.subject) == ("", "subject-1")


LOGOUT_LIES = {
    "neither sid nor sub": {},
    "a nonce": {"sid": "s", "nonce": "n"},
    "no events": {"sid": "s", "events": None},
    "another event": {"sid": "s", "events": {"http://x.test": {}}},
    "event is text": {"sid": "s", "events": json.dumps({"x": {}})},
    "no jti": {"sid": "s", "jti": None},
    "wrong iss": {"sid": "s", "iss": "https://idp.evil.test"},
    "wrong aud": {"sid": "s", "aud": "other"},
    "expired": {"sid": "s", "iat": NOW - 400, "exp": NOW - 60},
    "no iat": {"sid": "s", "iat": None},
    "typ of an access token": {"sid": "s", "typ": "at+jwt"},
}


@pytest.mark.parametrize("name", LOGOUT_LIES)
async def test_wrong_logout_token_is_refused(name):
    """Back-Channel Logout 1.0, section 2.6."""
    with pytest.raises(ProviderTokenInvalidError):
        await _logged_out(SIGNER.logout_token(**LOGOUT_LIES[name]))


async def test_jw_2_id_token_is_no_logout_token():
    """JW-2: kinds never mix, either way."""
    with pytest.raises(ProviderTokenInvalidError):
        await _logged_out(SIGNER.id_token(NONCE, sid="s"))
