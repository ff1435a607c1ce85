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

from deploy.embedded.environment import store_keys
from deploy.embedded.keys import ensure_keys
from deploy.embedded.layout import Stack, write_private
from deploy.embedded.passwords import ADMIN, SERVICES, SMTP_USER, STORES, Passwords
from deploy.embedded.servers.valkey import acl_rules

APP, DATA = "parley", "parley-data"
_DOMAIN = f"{DATA}.svc.cluster.local"
_MONGODB = f"mongodb-svc.{_DOMAIN}:27017"
_RABBITMQ = f"rabbitmq.{_DOMAIN}"
_REDIS = f"redis.{_DOMAIN}:6379"
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
    rabbit = passwords.of("rabbitmq", service)
    redis = passwords.of("valkey", service)
    values = {
        f"{service}_amqp_url": f"amqp://{service}:{rabbit}@{_RABBITMQ}:5672/",
        f"{service}_redis_url": f"redis://{service}:{redis}@{_REDIS}/0",
    }
    if service in STORES:
        values[f"{service}_mongo_url"] = _mongo_url(
            service, passwords.of("mongodb", service), f"parley_{service}"
        )
    if service == "media":
        values["s3-credentials.json"] = store_keys("media", passwords)
    if service == "notification":
        values["notification_smtp_password"] = passwords.of("smtp", SMTP_USER)
    for path in (stack.secrets / service).glob("*.json"):
        if path.name not in _LEFT_OUT:
            values[path.name] = path.read_text("utf-8")
    return values


def _of_steps(passwords: Passwords) -> dict[str, dict[str, str]]:
    """Return what the steps of a release, and the scaler, sign in with."""
    admin = passwords.of("rabbitmq", ADMIN)
    observer = _observer_password(passwords)
    management = f"{_RABBITMQ}:15672"
    return {
        "broker-administrator": {
            "events_admin_amqp_url": f"amqp://{ADMIN}:{admin}@{_RABBITMQ}:5672/",
            "events_management_url": f"http://{ADMIN}:{admin}@{management}",
        },
        "database-administrator": {
            "audit_admin_mongo_url": _mongo_url(
                ADMIN, passwords.of("mongodb", ADMIN), "admin"
            )
        },
        "broker-observer": {"host": f"http://{_OBSERVER}:{observer}@{management}/"},
    }


def _of_servers(passwords: Passwords) -> dict[str, dict[str, str]]:
    """Return the accounts that the operators make."""
    found = {
        f"mongodb-{user}": {"password": passwords.of("mongodb", user)}
        for user in (ADMIN, *STORES)
    }
    for user in (ADMIN, *SERVICES):
        password = passwords.of("rabbitmq", user)
        found[f"rabbitmq-{user}"] = {"username": user, "password": password}
    observer = _observer_password(passwords)
    found["rabbitmq-observer"] = {"username": _OBSERVER, "password": observer}
    found["redis-accounts"] = {"user.acl": acl_rules(passwords)}
    return found


def _mongo_url(user: str, password: str, database: str) -> str:
    place = "" if database == "admin" else database
    options = f"replicaSet=mongodb&authSource={database}"
    return f"mongodb://{user}:{password}@{_MONGODB}/{place}?{options}"


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
