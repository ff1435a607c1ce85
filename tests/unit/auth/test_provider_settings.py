"""The file of providers: what starts, and what does not."""

import json

import pytest

from libs.chassis.errors import StartError
from services.auth.app.providers import read_providers
from services.auth.domain import (
    Providers,
    ProvidersInvalidError,
)

GOOD = {
    "id": "acme",
    "name": "Acme",
    "issuer": "https://idp.acme.test/realms/main",
    "client_id": "parley",
}


def _parsed(*entries):
    return Providers.parse(json.dumps({"providers": entries}).encode())


def test_good_file_says_what_it_says():
    """Defaults are the careful ones."""
    provider = _parsed(GOOD).get("acme")
    assert not provider.allows_registration
    assert not provider.admits("acme.test")
    assert provider.scopes == ("openid", "email", "profile")
    assert provider.discovery_address == (
        "https://idp.acme.test/realms/main/.well-known/openid-configuration"
    )


WRONG = {
    "upper case id": {"id": "Acme"},
    "path as id": {"id": "../x"},
    "no name": {"name": ""},
    "http issuer": {"issuer": "http://idp.acme.test"},
    "issuer with a user": {"issuer": "https://a:b@idp.acme.test"},
    "issuer with a query": {"issuer": "https://idp.acme.test/?x"},
    "issuer with a fragment": {"issuer": "https://idp.acme.test/#x"},
    "issuer with a blank": {"issuer": "https://idp acme.test"},
    "issuer with a line": {"issuer": "https://idp.acme.test\n"},
    "issuer is a file": {"issuer": "file:///etc/passwd"},
    "issuer with a port of text": {"issuer": "https://idp.acme.test:x"},
    "no host": {"issuer": "https://"},
    "no openid": {"scopes": ["email"]},
    "two scopes in one": {"scopes": ["openid", "a b"]},
    "other token_auth": {"token_auth": "jwt"},
    "unknown field": {"secret": "x"},
    "claim is empty": {"claims": {"email": ""}},
    "unknown claim": {"claims": {"mail": "mail"}},
    "registration is text": {"allows_registration": "yes"},
    "no client": {"client_id": None},
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_provider_is_refused_at_start(name):
    """A service with a wrong file does not start."""
    with pytest.raises(ProvidersInvalidError):
        _parsed(GOOD | WRONG[name])


def test_ids_and_issuers_stand_once(tmp_path):
    """Two providers of one issuer would share identities."""
    other = GOOD | {"issuer": "https://idp.beta.test"}
    for second in (other, GOOD | {"id": "beta"}):
        with pytest.raises(ProvidersInvalidError):
            _parsed(GOOD, second)
    with pytest.raises(ProvidersInvalidError):
        Providers.parse(b'{"provider": []}')
    path = tmp_path / "providers.json"
    with pytest.raises(StartError, match=r"providers\.json"):
        read_providers(path)
    path.write_text("{")
    with pytest.raises(StartError, match=r"providers\.json"):
        read_providers(path)
    assert list(read_providers(None)) == []


@pytest.mark.parametrize(
    ("address", "is_asked"),
    [
        ("https://idp.acme.test/token", True),
        ("https://keys.acme.test/jwks", True),
        ("https://keys.acme.test:8443/jwks", False),
        ("https://idp.acme.test:8443/token", False),
        ("http://idp.acme.test/token", False),
        ("http://keys.acme.test/jwks", False),
        ("https://idp.acme.test.evil.test/token", False),
        ("https://idp.acme.test@evil.test/token", False),
        ("https://evil.test/idp.acme.test", False),
        ("https://evil.test\\@idp.acme.test/", False),
        ("http://127.0.0.1:8080/admin", False),
        ("http://169.254.169.254/latest", False),
        ("file:///etc/passwd", False),
        ("//idp.acme.test/token", False),
        ("", False),
        (None, False),
        (["https://idp.acme.test/token"], False),
    ],
)
def test_ss_1_provider_sends_us_to_no_other_host(address, is_asked):
    """SS-1: its endpoints are on its own host, or on one that the file names."""
    provider = _parsed(GOOD | {"endpoint_hosts": ["keys.acme.test"]}).get("acme")
    assert provider.may_ask(address) is is_asked


def test_loopback_provider_may_be_http():
    """For tests and sidecars; only from a loopback issuer to itself."""
    provider = _parsed(GOOD | {"issuer": "http://127.0.0.1:9000"}).get("acme")
    assert provider.may_ask("http://127.0.0.1:9000/token")
    assert not provider.may_ask("http://127.0.0.1:9001/token")
    assert not provider.may_ask("http://localhost:9000/token")


@pytest.mark.parametrize(
    ("domain", "is_admitted"),
    [("acme.test", True), ("ACME.test", True), ("sub.acme.test", False), ("", False)],
)
def test_only_listed_domains_open_accounts(domain, is_admitted):
    """Whole domains, no suffixes."""
    entry = GOOD | {"allows_registration": True, "mail_domains": ["acme.test"]}
    assert _parsed(entry).get("acme").admits(domain) is is_admitted
