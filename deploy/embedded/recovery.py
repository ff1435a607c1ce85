"""Backup and restore of a stack on this machine, by the commands of `libs.backup`."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded.checkpoints import put_checkpoints_aside
from deploy.embedded.control import ask, is_supervised
from deploy.embedded.environment import (
    service_environment,
    store_keys_file,
    write_secret_files,
)
from deploy.embedded.errors import NotRunningError, StackError
from deploy.embedded.launch import bring_up
from deploy.embedded.layout import CHECKOUT, Stack, write_private
from deploy.embedded.overrides import overrides_of
from deploy.embedded.passwords import SERVICES
from deploy.embedded.servers.mongodb import admin_url, backup_url
from deploy.embedded.servers.seaweedfs import BUCKET, REGION
from libs.backup.keys import put_keys_back, refuse_one_place, unlike

_WRITERS = ("edge", *SERVICES)
_NEEDED = ("mongod", "seaweedfs")
_REBUILT = ("valkey", "rabbitmq")


@dataclass(frozen=True)
class Wish:
    """What a restore is told.

    Attributes:
        at: Moment; None for the last that is covered.
        keys: Copy of the secrets; None where the stack still has its own.
        is_replacing: Throw away what the databases hold.
    """

    at: str | None
    keys: Path | None
    is_replacing: bool


def back_up(stack: Stack, folder: Path, keys: Path | None) -> None:
    """Take a full backup, remove what is too old, copy the secrets if told where.

    Raises:
        StackError: It was refused, or failed.
    """
    _require_running(stack)
    if keys is not None:
        refuse_one_place(keys, folder)
    backup_command(stack, folder, "full")
    if keys is not None:
        backup_command(stack, folder, "keys", str(stack.secrets), str(keys))
    print(KEYS_COPIED.format(keys) if keys else KEYS_MISSING.format(stack.secrets))


def add_segment(stack: Stack, folder: Path) -> None:
    """Add what came since the last backup or segment.

    Raises:
        StackError: It was refused, or failed.
    """
    _require_running(stack)
    backup_command(stack, folder, "segment")


def restore(stack: Stack, folder: Path, wish: Wish) -> None:
    """Make databases and objects what they were; the services are stopped after it.

    Raises:
        StackError: It was refused, or failed.
    """
    moment = ("--at", wish.at) if wish.at else ()
    if wish.keys is not None:
        put_back(wish.keys, stack.secrets)
    if is_supervised(stack):
        _stop(stack, *_WRITERS)
    for message in bring_up(stack, _NEEDED):
        if "failed" in message:
            raise StackError(f"{message['failed']}: {message['reason']}")
    replacing = ("--replace",) if wish.is_replacing else ()
    backup_command(stack, folder, "restore", *moment, *replacing)
    _stop(stack, *_REBUILT)
    for name in _REBUILT:
        shutil.rmtree(stack.data(name))
    put_checkpoints_aside(stack.root / "data")
    _distrust_access_tokens(stack)
    print(RESTORED)


def put_back(keys: Path, secrets: Path) -> None:
    """Put back the keys that are missing; name those that are unlike the copy's.

    Raises:
        BackupDamagedError: The copy is not whole.
    """
    put = put_keys_back(keys, secrets)
    print(f"put back {len(put)} files of keys")
    if other := unlike(keys, secrets):
        print(_KEYS_DIFFER.format(keys, ", ".join(other)))


def _require_running(stack: Stack) -> None:
    if not is_supervised(stack):
        raise NotRunningError(f"no stack runs in {stack.root}: bring it up first")


def _stop(stack: Stack, *programs: str) -> None:
    for message in ask(stack, {"command": "stop", "programs": list(programs)}):
        print(f"{message['program']}: {message['state']}")


def backup_command(stack: Stack, folder: Path, *words: str) -> None:
    """Run a command of `libs.backup` with this stack's accounts."""
    secrets = stack.secrets / "backup"
    write_secret_files(stack)
    account = admin_url if words[0] == "restore" else backup_url
    write_private(secrets / "backup_mongo_url", account(stack))
    settings = {
        "PARLEY_SECRETS_DIR": str(secrets),
        "BACKUP_FOLDER": str(folder.absolute()),
        "BACKUP_OBJECTS": "copy",
        "BACKUP_S3_ENDPOINT_URL": stack.url("s3"),
        "BACKUP_S3_BUCKET": BUCKET,
        "BACKUP_S3_REGION": REGION,
        "BACKUP_S3_CREDENTIALS_FILE": str(store_keys_file(stack)),
    }
    _run(("-m", "libs.backup", *words), settings)


def _run(words: tuple[str, ...], settings: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, *words],
        cwd=CHECKOUT,
        env=os.environ | settings,
        check=False,
    )
    if done.returncode:
        raise StackError(f"{' '.join(words[1:3])} ended with {done.returncode}")


def _distrust_access_tokens(stack: Stack) -> None:
    """Sign with new keys: a token of a session that no backup knows opens nothing."""
    settings = service_environment(stack, "auth") | overrides_of(stack, "auth")
    _run(("-m", "services.auth", "keys", "renew"), settings)


RESTORED = "restored; `make up` starts the services. Everybody has to sign in again."
KEYS_COPIED = "The keys are in {}, apart from the data: without them nobody reads it."
KEYS_MISSING = (
    "NOT BACKED UP: the keys in {}. Without them nobody reads what was backed up; copy "
    "them to another place (make backup D=... K=/another/disk)."
)
_KEYS_DIFFER = (
    "LEFT AS THEY ARE, unlike the copy in {}: {}. Keys that were rotated since read "
    "this backup too; keys that were made anew do not: put the copy's in their place."
)
