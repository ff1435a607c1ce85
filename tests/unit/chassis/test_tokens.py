"""Access and internal tokens: only the exact one is taken (JW-1, JW-2, JW-3, IN-1)."""

import base64
import hashlib
import hmac
import json
import os
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from libs.chassis.access_tokens import AccessTokenVerifier, JwksSource
from libs.chassis.internal_tokens import InternalTokenSigner, InternalTokenVerifier
from libs.chassis.security import Principal, TokenInvalidError
from libs.chassis.tokens import parse_token, sign_token
from libs.crypto import SigningKey, SigningKeys, SigningKeysError
from libs.crypto.jwk import jwks
from libs.kernel import FrozenClock, UnavailableError

ISSUER = "https://chat.example"
KEY = SigningKey.generate("auth:1")
START = FrozenClock().now().timestamp()


def b64(raw):
    """Base64url without padding."""
    if not isinstance(raw, bytes):
        raw = raw.encode() if isinstance(raw, str) else json.dumps(raw).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def claims(**changes):
    """Claims of a valid access token; a None takes one away."""
    whole = {
        "iss": ISSUER,
        "aud": "parley",
        "sub": "user-1",
        "sid": "session-1",
        "jti": "token-1",
        "iat": int(START),
        "exp": int(START) + 300,
        "roles": ["member"],
    } | changes
    return {name: value for name, value in whole.items() if value is not None}


def token(header=None, payload=None, key=KEY.private_key):
    """Sign a token with any header and any payload."""
    head = {"alg": "EdDSA", "typ": "at+jwt", "kid": "auth:1"} | (header or {})
    head = {name: value for name, value in head.items() if value is not None}
    signing = f"{b64(head)}.{b64(claims() if payload is None else payload)}"
    return f"{signing}.{b64(key.sign(signing.encode()))}"


def raw_token(header_text, payload_text=None):
    """Sign a token whose JSON texts are given."""
    payload = payload_text or json.dumps(claims())
    signing = f"{b64(header_text)}.{b64(payload)}"
    return f"{signing}.{b64(KEY.private_key.sign(signing.encode()))}"


def hmac_token(secret):
    """Sign a token with HS256 under what the attacker knows: our public key."""
    signing = (
        f"{b64({'alg': 'HS256', 'typ': 'at+jwt', 'kid': 'auth:1'})}.{b64(claims())}"
    )
    mac = hmac.new(secret, signing.encode(), hashlib.sha256).digest()
    return f"{signing}.{b64(mac)}"


class Keys:
    """A source with one key, which notes what it was asked for."""

    def __init__(self):
        self.asked = []

    async def key(self, kid):
        """Return the key by its exact id."""
        self.asked.append(kid)
        return KEY.private_key.public_key() if kid == "auth:1" else None


@pytest.fixture
def clock():
    """Time stands still at the token's issue."""
    return FrozenClock()


@pytest.fixture
def keys():
    """Auth's keys."""
    return Keys()


@pytest.fixture
def verifier(clock, keys):
    """What gateway and chat verify with."""
    return AccessTokenVerifier(keys, ISSUER, clock)


async def test_a_valid_access_token_says_who(verifier):
    """The only token in this file that is taken as it is."""
    found = await verifier.verify(token())
    assert found.user_id == "user-1"
    assert found.session_id == "session-1"
    assert found.token_id == "token-1"
    assert found.roles == ("member",)
    assert found.expires_at - found.issued_at == 300
    assert found.authenticated_at == 0


async def test_mf_6_an_access_token_says_when_its_user_proved_it(verifier):
    """MF-6: ``auth_time`` of RFC 9068; what is no time is refused."""
    found = await verifier.verify(token(payload=claims(auth_time=int(START) - 60)))
    assert found.authenticated_at == int(START) - 60
    for wrong in ("now", -1, 1.5, True):
        with pytest.raises(TokenInvalidError):
            await verifier.verify(token(payload=claims(auth_time=wrong)))


PUBLIC = KEY.private_key.public_key()
PEM = PUBLIC.public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)
DER = PUBLIC.public_bytes(
    serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
)
STRANGER = Ed25519PrivateKey.generate()
STRANGER_JWK = SigningKey("evil", STRANGER).public_jwk()
GOOD = token()
HEAD, BODY, SIGNATURE = GOOD.split(".")

FORGERIES = {
    "alg none": f"{b64({'alg': 'none', 'typ': 'at+jwt', 'kid': 'auth:1'})}.{BODY}.",
    "alg None": token({"alg": "None"}),
    "alg NONE": token({"alg": "NONE"}),
    "alg nOnE with our signature": token({"alg": "nOnE"}),
    "hs256 with pem": hmac_token(PEM),
    "hs256 with der": hmac_token(DER),
    "hs256 with raw": hmac_token(PUBLIC.public_bytes_raw()),
    "hs256 with jwk": hmac_token(json.dumps(KEY.public_jwk()).encode()),
    "alg rs256": token({"alg": "RS256"}),
    "alg es256": token({"alg": "ES256"}),
    "alg Ed25519": token({"alg": "Ed25519"}),
    "alg lower case": token({"alg": "eddsa"}),
    "no alg": token({"alg": None}),
    "alg is a list": token({"alg": ["EdDSA"]}),
    "jwk in header": token({"jwk": STRANGER_JWK}, key=STRANGER),
    "jku": token({"jku": "http://127.0.0.1:9/jwks.json"}, key=STRANGER),
    "x5u": token({"x5u": "http://127.0.0.1:9/cert.pem"}, key=STRANGER),
    "x5c": token({"x5c": ["MIIB"]}, key=STRANGER),
    "jku with our signature": token({"jku": "http://127.0.0.1:9/jwks.json"}),
    "unknown crit": token({"crit": ["exp2"], "exp2": 1}),
    "empty crit": token({"crit": []}),
    "b64 false": token({"b64": False, "crit": ["b64"]}),
    "cty": token({"cty": "JWT"}),
    "zip": token({"zip": "DEF"}),
    "kid unknown": token({"kid": "auth:2"}),
    "kid prefix": token({"kid": "auth:"}),
    "kid other case": token({"kid": "AUTH:1"}),
    "kid with a blank": token({"kid": "auth:1 "}),
    "kid path": token({"kid": "../../../dev/null"}),
    "kid operator": token({"kid": {"$ne": ""}}),
    "kid sql": token({"kid": "' or 1=1 --"}),
    "kid missing": token({"kid": None}),
    "kid empty": token({"kid": ""}),
    "kid long": token({"kid": "x" * 300}),
    "typ jwt": token({"typ": "JWT"}),
    "typ internal": token({"typ": "internal+jwt"}),
    "typ refresh": token({"typ": "rt+jwt"}),
    "typ upper case": token({"typ": "AT+JWT"}),
    "typ with prefix": token({"typ": "application/at+jwt"}),
    "typ missing": token({"typ": None}),
    "typ list": token({"typ": ["at+jwt"]}),
    "strange signature": token(key=STRANGER),
    "cut signature": GOOD[:-2],
    "no signature": f"{HEAD}.{BODY}.",
    "two parts": f"{HEAD}.{BODY}",
    "four parts": f"{GOOD}.{SIGNATURE}",
    "five parts, as JWE": f"{GOOD}.{SIGNATURE}.{SIGNATURE}",
    "header cut in mid byte": f"{HEAD[:-3]}.{BODY}.{SIGNATURE}",
    "payload cut in mid byte": f"{HEAD}.{BODY[: len(BODY) // 4 * 4 - 3]}.{SIGNATURE}",
    "header of one character": f"x.{BODY}.{SIGNATURE}",
    "padding": f"{HEAD}=.{BODY}.{SIGNATURE}",
    "new line": f"{GOOD}\n",
    "blank": f" {GOOD}",
    "standard base64": GOOD.replace("-", "+").replace("_", "/") + "+",
    "nested": f"{HEAD}.{b64(GOOD)}.{SIGNATURE}",
    "other payload": f"{HEAD}.{b64(claims(sub='admin'))}.{SIGNATURE}",
    "other header": f"{b64({'alg': 'EdDSA', 'typ': 'at+jwt', 'kid': 'auth:1', 'a': 1})}"
    f".{BODY}.{SIGNATURE}",
    "json serialisation": json.dumps({"payload": BODY, "signature": SIGNATURE}),
    "empty": "",
    "dots": "..",
    "text": "not a token",
    "100 kB": token({"kid": "x" * 100_000}),
    "100 kB payload": token(payload=claims(pad="x" * 100_000)),
    "header duplicate": raw_token(
        '{"alg":"none","alg":"EdDSA","typ":"at+jwt","kid":"auth:1"}'
    ),
    "header array": raw_token('["EdDSA"]'),
    "header no json": raw_token("EdDSA"),
    "header deep": raw_token('{"alg":' + "[" * 900 + "]" * 900 + "}"),
    "payload duplicate": raw_token(
        '{"alg":"EdDSA","typ":"at+jwt","kid":"auth:1"}',
        json.dumps(claims())[:-1] + ',"sub":"admin"}',
    ),
    "payload deep": token(payload=claims(roles=[[[[[["x"]]]]]])),
    "payload list": token(payload=[claims()]),
    "payload no json": token(payload="claims"),
    "exp nan": raw_token(
        '{"alg":"EdDSA","typ":"at+jwt","kid":"auth:1"}',
        json.dumps(claims(exp=float("nan"))),
    ),
    "exp infinity": raw_token(
        '{"alg":"EdDSA","typ":"at+jwt","kid":"auth:1"}',
        json.dumps(claims(exp=float("inf"))),
    ),
    "exp text": token(payload=claims(exp=str(int(START) + 300))),
    "exp true": token(payload=claims(exp=True)),
    "exp float": token(payload=claims(exp=START + 300.5)),
    "exp negative": token(payload=claims(exp=-1)),
    "exp huge": token(payload=claims(exp=2**70)),
    "exp before iat": token(payload=claims(iat=int(START) + 20, exp=int(START) + 10)),
    "nbf later": token(payload=claims(nbf=int(START) + 100)),
    "aud list": token(payload=claims(aud=["parley"])),
    "aud list with others": token(payload=claims(aud=["other", "parley"])),
    "aud other": token(payload=claims(aud="chat")),
    "aud prefix": token(payload=claims(aud="parley.evil")),
    "iss other": token(payload=claims(iss="https://chat.example.evil")),
    "iss slash": token(payload=claims(iss=f"{ISSUER}/")),
    "iss list": token(payload=claims(iss=[ISSUER])),
    "sub operator": token(payload=claims(sub={"$gt": ""})),
    "sub empty": token(payload=claims(sub="")),
    "sub long": token(payload=claims(sub="x" * 300)),
    "sid number": token(payload=claims(sid=1)),
    "roles text": token(payload=claims(roles="admin")),
    "roles of dicts": token(payload=claims(roles=[{}])),
}
FORGERIES |= {
    f"without {name}": token(payload=claims(**{name: None}))
    for name in ("iss", "aud", "sub", "sid", "jti", "iat", "exp")
}


@pytest.mark.parametrize("forged", FORGERIES.values(), ids=FORGERIES.keys())
async def test_forgeries_are_refused_alike(verifier, keys, forged):
    """JW-1: one error for all, and no key but the one named is looked up."""
    with pytest.raises(TokenInvalidError) as caught:
        await verifier.verify(forged)
    assert caught.value.code == "token_invalid"
    assert caught.value.details == {}
    assert all(isinstance(kid, str) and len(kid) <= 256 for kid in keys.asked)


def test_there_are_more_than_enough_forgeries():
    """The requirement says 25."""
    assert len(FORGERIES) >= 25


@given(st.text(max_size=300))
async def test_no_text_breaks_the_verifier(text):
    """Anything at all is a token or a `TokenInvalidError`."""
    verifier = AccessTokenVerifier(Keys(), ISSUER, FrozenClock())
    with pytest.raises(TokenInvalidError):
        await verifier.verify(text)


@given(st.integers(0, len(GOOD) - 1), st.sampled_from("abcXYZ019-_."))
async def test_no_changed_character_passes(place, character):
    """Each character of a token matters, the signature's last bits aside."""
    changed = GOOD[:place] + character + GOOD[place + 1 :]
    verifier = AccessTokenVerifier(Keys(), ISSUER, FrozenClock())
    if changed == GOOD or place == len(GOOD) - 1:
        return
    with pytest.raises(TokenInvalidError):
        await verifier.verify(changed)


@pytest.mark.parametrize(
    ("offset", "is_taken"), [(20, True), (30, True), (31, False), (40, False)]
)
async def test_a_token_of_the_near_future_is_taken(verifier, offset, is_taken):
    """JW-3: clocks may differ by 30 s."""
    early = token(payload=claims(iat=int(START) + offset, exp=int(START) + 300))
    if is_taken:
        assert await verifier.verify(early)
    else:
        with pytest.raises(TokenInvalidError):
            await verifier.verify(early)


async def test_a_token_ends_thirty_seconds_after_its_expiry(verifier, clock):
    """JW-3, also for a token that the cache knows."""
    clock.advance(timedelta(seconds=300 + 20))
    assert await verifier.verify(GOOD)
    clock.advance(timedelta(seconds=10))
    with pytest.raises(TokenInvalidError):
        await verifier.verify(GOOD)


async def test_a_verified_token_is_not_verified_again_for_a_while(
    verifier, keys, clock
):
    """The cache ends before a key that was taken away may still matter (JW-4)."""
    for _ in range(3):
        await verifier.verify(GOOD)
    assert keys.asked == ["auth:1"]
    clock.advance(timedelta(seconds=26))
    await verifier.verify(GOOD)
    assert keys.asked == ["auth:1"] * 2


async def test_the_cache_is_bounded(verifier, monkeypatch):
    """Many tokens push the oldest out."""
    monkeypatch.setattr("libs.chassis.access_tokens._MAX_CACHED", 2)
    for number in range(4):
        await verifier.verify(token(payload=claims(jti=f"t{number}")))
    assert len(verifier._cache) == 2


# ---- keys


class Jwks:
    """Auth's JWKS endpoint."""

    def __init__(self, *keys):
        self.keys = list(keys)
        self.fetched = 0
        self.error = None

    async def __call__(self):
        """Answer, or fail."""
        self.fetched += 1
        if self.error:
            raise self.error
        return jwks(self.keys)


async def settle(source):
    """Let a refresh in the background finish."""
    if source._refreshing is not None:
        await source._refreshing


async def test_random_key_ids_cost_auth_next_to_nothing(clock):
    """JW-4: 1,000 unknown ids within 30 s fetch at most twice."""
    endpoint = Jwks(KEY)
    source = JwksSource(endpoint, clock)
    for number in range(1000):
        clock.advance(timedelta(milliseconds=29))
        assert await source.key(f"random-{number}") is None
    assert endpoint.fetched == 1
    clock.advance(timedelta(seconds=30))
    assert await source.key("random") is None
    assert endpoint.fetched == 2


async def test_a_new_key_is_found_and_an_old_one_forgotten(clock):
    """JW-4: rotation needs no restart; a removed key is gone within a minute."""
    endpoint = Jwks(KEY)
    source = JwksSource(endpoint, clock)
    assert await source.key("auth:1")
    endpoint.keys = [SigningKey.generate("auth:2")]
    clock.advance(timedelta(seconds=31))
    assert await source.key("auth:1")  # the old answer, refreshed behind it
    await settle(source)
    assert await source.key("auth:1") is None
    assert await source.key("auth:2")
    assert endpoint.fetched == 2


@pytest.mark.parametrize(
    "error",
    [UnavailableError("x", "y"), TimeoutError(), OSError(), SigningKeysError("no")],
)
async def test_the_last_keys_stay_while_auth_is_away(clock, error):
    """A token lives until its expiry, also without auth."""
    endpoint = Jwks(KEY)
    source = JwksSource(endpoint, clock)
    assert await source.key("auth:1")
    endpoint.error = error
    clock.advance(timedelta(seconds=60))
    assert await source.key("auth:1")
    await settle(source)
    assert await source.key("auth:1")


async def test_without_any_key_the_answer_is_unavailable(clock):
    """Nobody is told that their token is wrong when we cannot know."""
    endpoint = Jwks()
    endpoint.error = UnavailableError("x", "y")
    source = JwksSource(endpoint, clock)
    for _ in range(2):
        with pytest.raises(UnavailableError):
            await source.key("auth:1")
    assert endpoint.fetched == 1  # once a second, while there is none at all
    endpoint.error = None
    endpoint.keys = [KEY]
    clock.advance(timedelta(seconds=1))
    assert await source.key("auth:1")
    await source.aclose()


# ---- internal tokens


@pytest.fixture
def internal(tmp_path, clock):
    """A signer of gateway and the verifier of chat."""
    gateway, project = (SigningKey.generate(f"{n}:1") for n in ("gateway", "project"))
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps(jwks([gateway, project])))
    for key in (gateway, project):
        file = tmp_path / f"{key.kid}.json"
        file.write_text(json.dumps(key.to_jwk()))
        file.chmod(0o600)
    verifier = InternalTokenVerifier(path, "chat", clock)
    verifier.load()
    signer = InternalTokenSigner(tmp_path / "gateway:1.json", "gateway", clock)
    return signer, verifier, {"gateway": gateway, "project": project}, path


USER = Principal(
    "u1", "s1", ("member",), ("read", "write"), authenticated_at=int(START)
)


def internal_claims(**changes):
    """Claims of a valid internal token of gateway for chat."""
    whole = {
        "iss": "gateway",
        "aud": "chat",
        "sub": "u1",
        "sid": "s1",
        "roles": [],
        "scope": "",
        "iat": int(START),
        "exp": int(START) + 60,
        "jti": "j1",
    } | changes
    return {name: value for name, value in whole.items() if value is not None}


@pytest.mark.parametrize(
    "principal", [USER, Principal.anonymous(), Principal.service()]
)
def test_a_principal_survives_the_way(internal, principal):
    """What the caller says, the callee hears, with the caller's name."""
    signer, verifier, _, _ = internal
    found = verifier.verify(signer.token("chat", principal))
    assert found.caller == "gateway"
    assert (found.user_id, found.session_id) == (
        principal.user_id,
        principal.session_id,
    )
    assert (found.roles, found.scopes) == (principal.roles, principal.scopes)
    assert found.authenticated_at == principal.authenticated_at


def test_a_token_is_for_one_audience(internal):
    """A token for media is not for chat."""
    signer, verifier, _, _ = internal
    with pytest.raises(TokenInvalidError):
        verifier.verify(signer.token("media", USER))


def test_a_caller_signs_in_its_own_name_only(internal):
    """The key's caller and the issuer must be the same."""
    _, verifier, keys, _ = internal
    forged = sign_token(keys["project"], internal_claims(), typ="internal+jwt")
    with pytest.raises(TokenInvalidError) as caught:
        verifier.verify(forged)
    assert caught.value.reason == "iss"


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": int(START) + 61},
        {"iat": int(START) - 100, "exp": int(START) - 40},
        {"iat": int(START) + 10},
        {"aud": ["chat"]},
        {"aud": None},
        {"sub": None},
        {"sid": None},
        {"sid": ""},
        {"sid": 7},
        {"scope": None},
        {"scope": ["read"]},
        {"roles": "admin"},
        {"jti": None},
        {"auth_time": "now"},
        {"exp": None},
        {"iat": None},
    ],
)
def test_internal_claims_are_exact(internal, changes):
    """Missing, longer than a minute, or of another kind: refused."""
    _, verifier, keys, _ = internal
    wrong = sign_token(keys["gateway"], internal_claims(**changes), typ="internal+jwt")
    with pytest.raises(TokenInvalidError):
        verifier.verify(wrong)


def test_kinds_of_tokens_never_mix(internal):
    """JW-2: an access token is no internal token, even under the same key."""
    _, verifier, keys, _ = internal
    for typ in ("at+jwt", "JWT", "rt+jwt", "share+jwt"):
        with pytest.raises(TokenInvalidError):
            verifier.verify(sign_token(keys["gateway"], internal_claims(), typ=typ))
    good = sign_token(keys["gateway"], internal_claims(), typ="internal+jwt")
    assert verifier.verify(good).user_id == "u1"
    with pytest.raises(TokenInvalidError):
        parse_token(good, typ="at+jwt")


def test_tokens_are_reused_and_end(internal, clock):
    """The same token for 30 s, valid for at least 30 s more, then never again."""
    signer, verifier, _, _ = internal
    first = signer.token("chat", USER)
    clock.advance(timedelta(seconds=29))
    assert signer.token("chat", USER) == first
    assert signer.token("media", USER) != first
    clock.advance(timedelta(seconds=2))
    assert signer.token("chat", USER) != first
    assert verifier.verify(first)
    clock.advance(timedelta(seconds=40))
    with pytest.raises(TokenInvalidError):
        verifier.verify(first)


def test_both_caches_are_bounded(internal, monkeypatch):
    """Many users push the oldest out."""
    monkeypatch.setattr("libs.chassis.internal_tokens._MAX_CACHED", 2)
    signer, verifier, _, _ = internal
    for number in range(5):
        verifier.verify(signer.token("chat", Principal(f"u{number}", "s")))
    assert len(signer._cache) == 2
    assert len(verifier._cache) == 2


def test_a_new_callers_key_is_read_from_the_changed_file(internal, clock):
    """Rotation of internal keys needs no restart (SE-1)."""
    _, verifier, _, path = internal
    new = SigningKey.generate("gateway:2")
    good = sign_token(new, internal_claims(), typ="internal+jwt")
    with pytest.raises(TokenInvalidError):
        verifier.verify(good)
    path.write_text(json.dumps(jwks([new])))
    os.utime(path, (1, 1))
    with pytest.raises(TokenInvalidError):
        verifier.verify(good)  # looked a moment ago
    clock.advance(timedelta(seconds=1))
    assert verifier.verify(good).user_id == "u1"


def test_a_broken_new_file_keeps_the_old_keys(internal):
    """A half-written file must not lock everybody out."""
    signer, verifier, _, path = internal
    path.write_text("{")
    os.utime(path, (1, 1))
    unknown = SigningKey.generate("gateway:3")
    with pytest.raises(TokenInvalidError):
        verifier.verify(sign_token(unknown, internal_claims(), typ="internal+jwt"))
    assert verifier.verify(signer.token("chat", USER))


def test_a_signer_takes_only_its_own_key(tmp_path):
    """Chat with gateway's key does not start."""
    key = SigningKey.generate("gateway:1")
    path = tmp_path / "key.json"
    path.write_text(json.dumps(key.to_jwk()))
    path.chmod(0o600)
    with pytest.raises(SigningKeysError, match="chat:1"):
        InternalTokenSigner(path, "chat")


def test_auths_signing_keys_make_tokens_that_are_taken():
    """What auth will do: sign with the current key of its set."""
    signing = SigningKeys.generate("auth:1")
    made = sign_token(signing.current, claims(), typ="at+jwt")
    unverified = parse_token(made, typ="at+jwt")
    assert (
        unverified.verify(signing.current.private_key.public_key())["sub"] == "user-1"
    )
