"""Ed25519 keys as JWKs; the vector is RFC 8037 appendix A."""

import json

import jwt
import pytest

from libs.crypto import SigningKey, SigningKeys, SigningKeysError, public_keys

RFC_8037 = {
    "kty": "OKP",
    "crv": "Ed25519",
    "kid": "rfc",
    "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
}


def written(path, document):
    """Write a private file."""
    path.write_text(json.dumps(document))
    path.chmod(0o600)
    return path


def test_the_standards_key_is_read_and_written():
    """The RFC's private key gives the RFC's public key."""
    key = SigningKey.from_jwk(RFC_8037)
    assert key.public_jwk()["x"] == RFC_8037["x"]
    assert "d" not in key.public_jwk()
    assert key.to_jwk()["d"] == RFC_8037["d"]
    assert "nWGx" not in repr(key)


def test_pyjwt_takes_the_keys_as_they_are():
    """A token signed with the private key verifies with the JWKS's public key."""
    keys = SigningKeys.generate("auth:1")
    token = jwt.encode({"sub": "u"}, keys.current.private_key, algorithm="EdDSA")
    public = public_keys(json.loads(json.dumps(keys.jwks())))["auth:1"]
    assert jwt.decode(token, public, algorithms=["EdDSA"]) == {"sub": "u"}


def test_a_set_survives_its_file(tmp_path):
    """All keys come back; the named one is current."""
    first = SigningKey.generate("a")
    second = SigningKey.generate("b")
    path = tmp_path / "keys.json"
    path.write_text(SigningKeys(second, (first, second)).to_json())
    path.chmod(0o600)
    read = SigningKeys.from_file(path)
    assert read.current.kid == "b"
    assert [key.kid for key in read.keys] == ["a", "b"]


def test_a_single_key_file_is_read(tmp_path):
    """That is the form of an internal caller's key."""
    key = SigningKey.from_file(written(tmp_path / "chat.json", RFC_8037))
    assert key.kid == "rfc"


@pytest.mark.parametrize(
    "change",
    [
        {"kty": "RSA"},
        {"crv": "X25519"},
        {"alg": "HS256"},
        {"use": "enc"},
        {"kid": "../../etc"},
        {"kid": 7},
        {"kid": ""},
        {"d": "short"},
        {"d": None},
        {"x": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
    ],
)
def test_other_keys_are_refused_without_quoting_them(tmp_path, change):
    """Only an Ed25519 key whose halves belong together is a signing key."""
    path = written(tmp_path / "key.json", RFC_8037 | change)
    with pytest.raises(SigningKeysError) as caught:
        SigningKey.from_file(path)
    assert RFC_8037["d"][:10] not in str(caught.value)


@pytest.mark.parametrize(
    "document",
    [{}, [], {"keys": 1}, {"keys": [1]}, {"keys": [RFC_8037]}, {"current": "x"}],
)
def test_a_set_without_its_current_key_is_refused(tmp_path, document):
    """The file must say which key signs."""
    with pytest.raises(SigningKeysError):
        SigningKeys.from_file(written(tmp_path / "keys.json", document))


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000])
def test_files_that_are_no_json_are_refused(tmp_path, text):
    """No parser's traceback reaches the start."""
    path = tmp_path / "keys.json"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(SigningKeysError, match="not JSON"):
        SigningKeys.from_file(path)


def test_a_jwks_keeps_only_usable_keys():
    """Foreign keys and keys without an id are skipped, as RFC 7517 asks."""
    good = SigningKey.generate("a").public_jwk()
    document = {
        "keys": [
            good,
            {"kty": "RSA", "kid": "r", "n": "x", "e": "AQAB"},
            {**good, "kid": None},
            {**good, "kid": "../x"},
            "text",
        ]
    }
    assert list(public_keys(document)) == ["a"]


@pytest.mark.parametrize("document", [None, [], "x", {}, {"keys": {}}])
def test_what_is_no_jwks_is_refused(document):
    """An error page that parses as JSON is not an empty key set."""
    with pytest.raises(SigningKeysError):
        public_keys(document)


def test_a_broken_ed25519_key_in_a_jwks_is_refused():
    """A cut key must not silently vanish from the set."""
    broken = SigningKey.generate("a").public_jwk() | {"x": "AAAA"}
    with pytest.raises(SigningKeysError):
        public_keys({"keys": [broken]})
