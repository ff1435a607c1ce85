"""Passwords, keys, certificates and settings: made once, right, and stable."""

import base64
import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from deploy.embedded.certificates import (
    SERVER_NAMES,
    certificate_files,
    ensure_certificates,
)
from deploy.embedded.environment import service_environment, write_secret_files
from deploy.embedded.keys import internal_jwks_file, ring_file, signing_file
from deploy.embedded.launch import prepare
from deploy.embedded.layout import Stack, open_stack
from deploy.embedded.passwords import SERVICES, STORES, Passwords
from deploy.embedded.servers.nginx import edge_configuration
from deploy.embedded.servers.rabbitmq import password_hash
from deploy.embedded.servers.seaweedfs import BUCKET, identities
from deploy.embedded.servers.valkey import acl_rules


@pytest.fixture(scope="module")
def stack(tmp_path_factory) -> Stack:
    """A stack with its secrets made, never started."""
    stack = open_stack(tmp_path_factory.mktemp("embedded") / "stack")
    prepare(stack)
    write_secret_files(stack)
    return stack


def secret_files(stack: Stack) -> dict[Path, bytes]:
    """Return every file below a stack's secrets."""
    return {
        path: path.read_bytes() for path in stack.secrets.rglob("*") if path.is_file()
    }


def test_second_preparation_changes_nothing(stack):
    """Secrets are stable over restarts."""
    before = secret_files(stack)
    prepare(stack)
    write_secret_files(stack)
    assert secret_files(stack) == before


def test_lost_file_is_made_anew_and_the_others_stay(stack):
    """One missing secret does not cost the others."""
    path = ring_file(stack, "media", "storage")
    before = secret_files(stack)
    path.unlink()
    prepare(stack)
    after = secret_files(stack)
    assert {name for name in before if before[name] != after[name]} == {path}


def test_secrets_are_readable_by_the_owner_alone(stack):
    """Folders are 0700, files 0600."""
    for path in [stack.secrets, *stack.secrets.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path


def test_key_rings_hold_256_bits_under_their_current_id(stack):
    """The format is the one that libs.crypto reads."""
    from libs.crypto import KeyRing  # noqa: PLC0415 - the reader, to prove the writer

    for service in STORES:
        ring = KeyRing.from_file(ring_file(stack, service, "storage"))
        assert len(ring.key(ring.current_id)) == 32


@pytest.mark.parametrize(
    ("ring", "holders"),
    [
        ("message-transport", ("chat", "notification")),
        ("account-transport", ("auth", "notification")),
        ("project-transport", ("project", "notification")),
    ],
)
def test_transport_rings_are_shared_and_storage_rings_are_not(stack, ring, holders):
    """Both ends of an event hold one key; nobody shares what rests."""
    first, second = (ring_file(stack, holder, ring).read_text() for holder in holders)
    assert first == second
    storage = {ring_file(stack, name, "storage").read_text() for name in STORES}
    assert len(storage) == len(STORES)


def test_internal_keys_are_published_without_their_private_part(stack):
    """Every caller is in the public set, and nothing secret is."""
    published = json.loads(internal_jwks_file(stack).read_text())["keys"]
    assert {key["kid"] for key in published} == {f"{name}:1" for name in SERVICES}
    assert all("d" not in key for key in published)


def test_signing_set_names_its_current_key(stack):
    """Auth finds the private key it signs with."""
    known = json.loads(signing_file(stack).read_text())
    (key,) = known["keys"]
    assert key["kid"] == known["current"]
    assert key["crv"] == "Ed25519"
    assert len(base64.urlsafe_b64decode(key["d"] + "=")) == 32


def test_certificates_are_signed_by_the_stack_and_renewed_in_time(stack, tmp_path):
    """A server certificate names its host, and is made anew before it ends."""
    own = Stack(tmp_path / "other", stack.base)
    ensure_certificates(own)
    path, _ = certificate_files(own, "fcm")
    first = x509.load_pem_x509_certificate(path.read_bytes())
    names = first.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert "fcm.googleapis.com" in names.value.get_values_for_type(x509.DNSName)
    first.verify_directly_issued_by(
        x509.load_pem_x509_certificate(own.ca_file.read_bytes())
    )
    ensure_certificates(own)
    assert path.read_bytes().strip().startswith(b"-----BEGIN")
    assert x509.load_pem_x509_certificate(path.read_bytes()) == first
    ensure_certificates(own, datetime.now(UTC) + timedelta(days=3640))
    assert x509.load_pem_x509_certificate(path.read_bytes()) != first


def test_certificate_without_a_name_that_is_needed_now_is_made_anew(
    stack, tmp_path, monkeypatch
):
    """A stack of an older checkout gets the names that a newer one answers as."""
    own = Stack(tmp_path / "older", stack.base)
    with monkeypatch.context() as older:
        older.setitem(SERVER_NAMES, "fcm", ("fcm.googleapis.com",))
        ensure_certificates(own)
    ensure_certificates(own)
    path, _ = certificate_files(own, "fcm")
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    held = names.value.get_values_for_type(x509.DNSName)
    assert "iamcredentials.googleapis.com" in held


@pytest.mark.parametrize("service", SERVICES)
def test_settings_name_files_that_exist_and_hold_no_secret(stack, service):
    """A service's environment points at its own secrets and quotes none."""
    environment = service_environment(stack, service)
    for name, value in environment.items():
        if name.endswith(
            ("_KEYS_FILE", "_KEY_FILE", "_JWKS_FILE", "_CREDENTIALS_FILE")
        ):
            assert Path(value).is_file(), name
    own = Path(environment["PARLEY_SECRETS_DIR"])
    assert own.name == service
    for path in own.glob(f"{service}_*_url"):
        assert path.read_text() not in environment.values()
        assert f"//{service}:" in path.read_text()


@pytest.mark.parametrize("service", SERVICES)
def test_settings_satisfy_the_service(stack, service, monkeypatch):
    """What the table says is what the service's own settings class asks for."""
    import importlib  # noqa: PLC0415 - services are looked up by name here alone

    from libs.chassis.settings import (  # noqa: PLC0415 - see above
        ServiceSettings,
        load_settings,
    )

    module = importlib.import_module(f"services.{service}.settings")
    for name, value in service_environment(stack, service).items():
        monkeypatch.setenv(name, value)
    classes = [
        kind
        for kind in vars(module).values()
        if isinstance(kind, type)
        and issubclass(kind, ServiceSettings)
        and kind is not ServiceSettings
    ]
    settings = load_settings(classes[-1])
    assert settings.port == stack.port(service)
    assert settings.environment == "development"


def test_valkey_users_have_their_own_keys_only(stack):
    """Each service is confined to its prefix; the default user is off."""
    rules = acl_rules(Passwords(stack))
    assert rules.startswith("user default off")
    for service in SERVICES:
        (line,) = [
            row for row in rules.splitlines() if row.startswith(f"user {service} ")
        ]
        assert f"~{service}:*" in line
        assert line.count("~") == 1
        assert Passwords(stack).of("valkey", service) not in line


def test_s3_identity_of_media_is_bound_to_its_bucket(stack):
    """No action of a service reaches beyond its bucket."""
    known = identities(Passwords(stack))["identities"]
    (media,) = [row for row in known if row["name"] == "media"]
    assert all(action.endswith(f":{BUCKET}") for action in media["actions"])


def test_rabbitmq_hash_is_salted_sha256():
    """The form is the one of RabbitMQ's own documentation."""
    assert (
        password_hash("test12", bytes.fromhex("908dc60a"))
        == "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"
    )


def test_edge_configuration_has_no_open_placeholder(stack):
    """Everything is filled in, and only this stack's ports are spoken to."""
    text = edge_configuration(stack)
    assert "%{" not in text
    assert f"listen {stack.address('edge')}" in text
    assert "proxy_request_buffering off" in text
