"""Write the Secrets of an installation in a cluster: ``make k8s-secrets D=FOLDER``.

New passwords and keys for the servers of ``deploy/k8s/components/servers``, and what
each service needs of them, a manifest each, mode 0600. A second run changes nothing:
what the folder has stays. Keep it as you keep keys, or hand its files to what seals
secrets in your cluster; nothing of it belongs into version control.
"""

import base64
import json
import sys
from hashlib import blake2b
from pathlib import Path

from deploy.embedded.credentials import (
    Servers,
    backup_secrets,
    broker_step_secrets,
    database_step_secrets,
    key_files,
    service_secrets,
)
from deploy.embedded.keys import ensure_keys
from deploy.embedded.layout import Stack, write_private
from deploy.embedded.passwords import ADMIN, BACKUP, SERVICES, STORES, Passwords
from deploy.embedded.servers.valkey import acl_rules

APP, DATA = "parley", "parley-data"
_DOMAIN = f"{DATA}.svc.cluster.local"
_SERVERS = Servers(
    mongodb=f"mongodb-svc.{_DOMAIN}:27017",
    rabbitmq=f"rabbitmq.{_DOMAIN}",
    redis=f"redis.{_DOMAIN}:6379",
    replica_set="mongodb",
)
_OBSERVER = "observer"
_LEFT_OUT = {"fcm-account.json"}  # a stand-in's; the real one comes from Firebase


def main(arguments: list[str]) -> int:
    """Write the manifests into the folder that is named; return 0."""
    folder = Path(arguments[0]).absolute()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    stack = Stack(folder / "state", 21000)
    (folder / "state").mkdir(mode=0o700, exist_ok=True)
    passwords = Passwords(stack)
    passwords.ensure()
    ensure_keys(stack)
    for service in SERVICES:
        _write(folder, APP, service, _of_service(stack, passwords, service))
    for name, values in _of_steps(passwords).items():
        _write(folder, APP, name, values)
    for name, values in _of_servers(passwords).items():
        _write(folder, DATA, name, values)
    jwks = (stack.secrets / "public" / "internal-jwks.json").read_text("utf-8")
    public = {"internal-jwks.json": jwks}
    _write_manifest(folder, "ConfigMap", (APP, "internal-jwks"), public)
    print(f"wrote {len(list(folder.glob('*.json')))} manifests into {folder}")
    return 0


def _of_service(stack: Stack, passwords: Passwords, service: str) -> dict[str, str]:
    """Return the files of one service: addresses with passwords, and keys."""
    keys = key_files(stack, service)
    kept = {name: text for name, text in keys.items() if name not in _LEFT_OUT}
    return service_secrets(_SERVERS, passwords, service) | kept


def _of_steps(passwords: Passwords) -> dict[str, dict[str, str]]:
    """Return what steps of a release, backups and the scaler sign in with."""
    observer = _observer_password(passwords)
    host = f"http://{_OBSERVER}:{observer}@{_SERVERS.rabbitmq}:15672/"
    return {
        "broker-administrator": broker_step_secrets(_SERVERS, passwords),
        "backup": backup_secrets(_SERVERS, passwords),
        "database-administrator": database_step_secrets(_SERVERS, passwords),
        "broker-observer": {"host": host},
    }


def _of_servers(passwords: Passwords) -> dict[str, dict[str, str]]:
    """Return the accounts that the operators make."""
    found = {
        f"mongodb-{user}": {"password": passwords.of("mongodb", user)}
        for user in (ADMIN, BACKUP, *STORES)
    }
    for user in (ADMIN, *SERVICES):
        password = passwords.of("rabbitmq", user)
        found[f"rabbitmq-{user}"] = {"username": user, "password": password}
    observer = _observer_password(passwords)
    found["rabbitmq-observer"] = {"username": _OBSERVER, "password": observer}
    found["redis-accounts"] = {"user.acl": acl_rules(passwords)}
    return found


def _observer_password(passwords: Passwords) -> str:
    """Return the scaler's password, which follows from the administrator's."""
    admin = passwords.of("rabbitmq", ADMIN).encode()
    return blake2b(admin, person=b"observer").hexdigest()


def _write(folder: Path, namespace: str, name: str, values: dict[str, str]) -> None:
    data = {
        key: base64.b64encode(value.encode()).decode() for key, value in values.items()
    }
    _write_manifest(folder, "Secret", (namespace, name), data)


def _write_manifest(
    folder: Path, kind: str, place: tuple[str, str], data: dict[str, str]
) -> None:
    namespace, name = place
    manifest = {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "data": data,
    }
    write_private(
        folder / f"{namespace}-{name}.json", json.dumps(manifest, indent=1) + "\n"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
