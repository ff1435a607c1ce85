"""The settings of every service of a stack: one table, and the secret files."""

import json
from collections.abc import Callable
from pathlib import Path

from deploy.embedded.keys import (
    FCM_PROJECT,
    RINGS,
    SHARED_RINGS,
    fcm_account_file,
    internal_file,
    internal_jwks_file,
    ring_file,
    signing_file,
)
from deploy.embedded.layout import HOST, Stack, write_private
from deploy.embedded.passwords import SERVICES, SMTP_USER, STORES, Passwords
from deploy.embedded.servers.mongodb import database_url
from deploy.embedded.servers.rabbitmq import amqp_url
from deploy.embedded.servers.replica_set import database_of
from deploy.embedded.servers.seaweedfs import BUCKET, REGION, access_key
from deploy.embedded.servers.valkey import redis_url


def service_environment(stack: Stack, service: str) -> dict[str, str]:
    """Return the environment of one service; secrets are paths, never values.

    Args:
        stack: Its stack, whose secrets exist.
        service: A name of `passwords.SERVICES`.
    """
    prefix = service.upper()
    names = _shared(stack, service) | _OWN[service](stack)
    environment = {f"{prefix}_{name}": value for name, value in names.items()}
    environment["PARLEY_SECRETS_DIR"] = str(stack.secrets / service)
    if service == "notification":
        # firebase-admin has no setting for its host: the proxy leads to the stand-in,
        # whose certificate the stack's own authority signed.
        environment |= {
            "HTTPS_PROXY": stack.url("fcm_proxy"),
            "REQUESTS_CA_BUNDLE": str(stack.ca_file),
            "NO_PROXY": HOST,
        }
    return environment


def write_secret_files(stack: Stack) -> None:
    """Write the secrets that services read from files; addresses may have moved."""
    passwords = Passwords(stack)
    for service in SERVICES:
        secrets = {
            "amqp_url": amqp_url(stack, service),
            "redis_url": redis_url(stack, service),
        }
        if service in STORES:
            secrets["mongo_url"] = database_url(stack, service)
        if service == "media":
            write_private(
                store_keys_file(stack), store_keys(access_key("media"), passwords)
            )
        if service == "notification":
            secrets["smtp_password"] = passwords.of("smtp", SMTP_USER)
        for name, value in secrets.items():
            write_private(stack.secrets / service / f"{service}_{name}", value)


def store_keys_file(stack: Stack) -> Path:
    """Return the keys of media's identity at the object store."""
    return stack.secrets / "media" / "s3-credentials.json"


def store_keys(name: str, passwords: Passwords) -> str:
    """Return the text of that file for media's identity under a name."""
    keys = {"access_key": name, "secret_key": passwords.of("s3", "media")}
    return json.dumps(keys)


def _shared(stack: Stack, service: str) -> dict[str, str]:
    names = {
        "HOST": HOST,
        "PORT": str(stack.port(service)),
        "PUBLIC_URL": stack.url("edge"),
        "ENVIRONMENT": "development",
        "INSTANCE_ID": f"{service}-1",
        "LOG_FILE": str(stack.logs / f"{service}.jsonl"),
        "DATA_DIR": str(stack.data(service)),
        "INTERNAL_JWKS_FILE": str(internal_jwks_file(stack)),
        "INTERNAL_KEY_FILE": str(internal_file(stack, service)),
    }
    if service in STORES:
        names["MONGO_DATABASE"] = database_of(service)
        names["STORAGE_KEYS_FILE"] = str(ring_file(stack, service, "storage"))
    if "audit" in RINGS.get(service, ()):
        names["AUDIT_KEYS_FILE"] = str(ring_file(stack, service, "audit"))
    for ring, holders in SHARED_RINGS.items():
        if service in holders:
            variable = f"{ring.upper().replace('-', '_')}_KEYS_FILE"
            names[variable] = str(ring_file(stack, service, ring))
    return names


def _auth(stack: Stack) -> dict[str, str]:
    return {
        "ISSUER": stack.url("edge"),
        "PEPPER_KEYS_FILE": str(ring_file(stack, "auth", "pepper")),
        "REFRESH_KEYS_FILE": str(ring_file(stack, "auth", "refresh")),
        "SIGNING_KEYS_FILE": str(signing_file(stack)),
    }


def _gateway(stack: Stack) -> dict[str, str]:
    addresses = {f"{store.upper()}_URL": stack.url(store) for store in STORES}
    return addresses | {"ISSUER": stack.url("edge")}


def _chat(stack: Stack) -> dict[str, str]:
    return {
        "SOCKET_PORT": str(stack.port("chat_sockets")),
        "AUTH_URL": stack.url("auth"),
        "ISSUER": stack.url("edge"),
        "ALLOWED_ORIGINS": f"{stack.url('edge')},https://{stack.address('edge_tls')}",
    }


def _media(stack: Stack) -> dict[str, str]:
    return {
        "S3_CREDENTIALS_FILE": str(store_keys_file(stack)),
        "S3_ENDPOINT_URL": stack.url("s3"),
        "S3_PUBLIC_URL": stack.url("files"),
        "S3_BUCKET": BUCKET,
        "S3_REGION": REGION,
    }


def _notification(stack: Stack) -> dict[str, str]:
    return {
        "SMTP_HOST": "localhost",
        "SMTP_PORT": str(stack.port("smtp")),
        "SMTP_USERNAME": SMTP_USER,
        "SMTP_SENDER": "Parley <parley@localhost.localdomain>",
        "SMTP_STARTTLS": "true",
        "SMTP_CA_FILE": str(stack.ca_file),
        "FCM_CREDENTIALS_FILE": str(fcm_account_file(stack)),
        "FCM_PROJECT_ID": FCM_PROJECT,
        "EMAIL_DELAY_SECONDS": "3",
    }


def _nothing(_: Stack) -> dict[str, str]:
    return {}


_OWN: dict[str, Callable[[Stack], dict[str, str]]] = {
    "auth": _auth,
    "gateway": _gateway,
    "chat": _chat,
    "media": _media,
    "notification": _notification,
    "project": _nothing,
}
