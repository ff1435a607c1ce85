"""Writes what each container reads: passwords, keys, certificates, accounts.

One folder a container, below a folder that the owner alone may enter; files are for
owner and group, and containers get the group. A second run changes nothing that is
there but addresses: keys that were rotated, and what the operator has put in a file's
place, stay.
"""

import json
import secrets
from collections.abc import Mapping
from pathlib import Path

from deploy.compose.installation import GROUP_READS, Installation
from deploy.embedded.certificates import certificate_files, ensure_certificates
from deploy.embedded.credentials import (
    Servers,
    backup_secrets,
    broker_step_secrets,
    database_step_secrets,
    key_files,
    service_secrets,
)
from deploy.embedded.environment import store_keys
from deploy.embedded.keys import ensure_keys, fcm_account_file, internal_jwks_file
from deploy.embedded.layout import Stack, write_private
from deploy.embedded.passwords import SERVICES, Passwords
from deploy.embedded.servers.mongodb import ensure_key_file
from deploy.embedded.servers.rabbitmq import broker_definitions
from deploy.embedded.servers.seaweedfs import access_key, ensure_token_keys, identities
from deploy.embedded.servers.valkey import acl_rules
from deploy.nginx.forms import compose_form
from deploy.nginx.rendering import render

CONTAINER_BASE = 21000
"""Base of the stand-ins' ports inside their containers, whatever is published."""

_GROUP_ENTERS = 0o750
_FOLLOWING = ("_url", "nginx.conf")
"""Ends of the names of files that follow from the choices, and change with them."""

_PUSH_TOKENS = f"http://fcm:{CONTAINER_BASE + 44}/token"


def write_secret_files(installation: Installation) -> None:
    """Write every file that is missing, and those that follow from the choices."""
    installation.secrets.mkdir(mode=0o700, parents=True, exist_ok=True)
    stack = Stack(installation.root / "state", CONTAINER_BASE)
    (installation.root / "state").mkdir(mode=0o700, exist_ok=True)
    passwords = Passwords(stack)
    passwords.ensure()
    ensure_certificates(stack)
    ensure_keys(stack)
    for service in SERVICES:
        _keep(installation.secrets / service, _of_service(installation, stack, service))
    others = (
        _of_servers(stack, passwords)
        | _of_edge(installation, stack)
        | _of_steps_and_stand_ins(stack, passwords)
        | _of_recovery(installation, passwords)
    )
    for name, values in others.items():
        _keep(installation.secrets / name, values)
    for path in installation.secrets.rglob("*"):
        path.chmod(_GROUP_ENTERS if path.is_dir() else GROUP_READS)


def _of_service(
    installation: Installation, stack: Stack, service: str
) -> dict[str, str]:
    servers = Servers(",".join(installation.members), "rabbitmq", "redis:6379")
    jwks = internal_jwks_file(stack).read_text("utf-8")
    files = key_files(stack, service) | {"internal-jwks.json": jwks}
    if service == "notification":
        files["ca.pem"] = stack.ca_file.read_text("utf-8")
        files["fcm-account.json"] = _push_account(stack)
    return files | service_secrets(servers, Passwords(stack), service)


def _of_servers(stack: Stack, passwords: Passwords) -> dict[str, dict[str, str]]:
    """Return the accounts and keys of the servers, as each one's files."""
    key_file = stack.secrets / "mongodb" / "keyfile"
    tokens = stack.secrets / "s3" / "security.toml"
    ensure_key_file(key_file)
    ensure_token_keys(tokens)
    return {
        "mongodb": {"keyfile": key_file.read_text("utf-8")},
        "rabbitmq": {"definitions.json": json.dumps(broker_definitions(passwords))},
        "redis": {"users.acl": acl_rules(passwords)},
        "s3": {
            "s3.json": json.dumps(identities(passwords)),
            "security.toml": tokens.read_text("utf-8"),
        },
        "grafana": {"admin_password": secrets.token_urlsafe(24)},
    }


def _of_edge(installation: Installation, stack: Stack) -> dict[str, dict[str, str]]:
    choices = installation.choices
    hosts = (choices["PARLEY_HOST"], choices["PARLEY_FILES_HOST"])
    form = compose_form(*hosts, installation.port("edge_tls"))
    certificate, key = certificate_files(stack, "edge")
    return {
        "edge-configuration": {"nginx.conf": render(form)},
        "edge": {
            "tls.crt": certificate.read_text("utf-8"),
            "tls.key": key.read_text("utf-8"),
        },
    }


def _of_steps_and_stand_ins(
    stack: Stack, passwords: Passwords
) -> dict[str, dict[str, str]]:
    """Return what each needs of the stack's folder, under the names it has there."""
    known = stack.secrets / "servers" / "passwords.json"
    accounts = json.loads(known.read_text("utf-8"))
    servers = Servers("", "rabbitmq", "redis:6379")
    return {
        "broker-administrator": broker_step_secrets(servers, passwords),
        "database-step": _passwords(accounts, "mongodb"),
        "store-step": _passwords(accounts, "s3"),
        "smtp": _passwords(accounts, "smtp") | _certificate(stack, "smtp"),
        "fcm": {
            **_certificate(stack, "fcm"),
            "notification/fcm-account.json": _push_account(stack),
        },
    }


def _of_recovery(
    installation: Installation, passwords: Passwords
) -> dict[str, dict[str, str]]:
    """Return what a backup reads with, and a restore writes with."""
    servers = Servers(",".join(installation.members), "rabbitmq", "redis:6379")
    store = {"s3-credentials.json": store_keys(access_key("media"), passwords)}
    reader = backup_secrets(servers, passwords)["backup_mongo_url"]
    (administrator,) = database_step_secrets(servers, passwords).values()
    return {
        "backup": {"backup_mongo_url": reader} | store,
        "restore": {"backup_mongo_url": administrator} | store,
    }


def _passwords(accounts: Mapping[str, object], server: str) -> dict[str, str]:
    return {"servers/passwords.json": json.dumps({server: accounts[server]})}


def _certificate(stack: Stack, server: str) -> dict[str, str]:
    certificate, key = certificate_files(stack, server)
    return {
        f"{server}/tls.pem": certificate.read_text("utf-8"),
        f"{server}/tls.key": key.read_text("utf-8"),
    }


def _push_account(stack: Stack) -> str:
    account = json.loads(fcm_account_file(stack).read_text("utf-8"))
    return json.dumps(account | {"token_uri": _PUSH_TOKENS})


def _keep(folder: Path, files: Mapping[str, str]) -> None:
    """Write what is missing; what is there may have been rotated, or be another's."""
    for name, text in files.items():
        path = folder / name
        is_current = path.exists() and (
            not name.endswith(_FOLLOWING) or path.read_text("utf-8") == text
        )
        if not is_current:
            write_private(path, text, GROUP_READS)
