"""Backup and restore of an installation by Compose.

`libs.backup` runs in a container of media's image, the one with the store's SDK: the
databases are on a network that this machine is not on. It runs as who calls it, so that
backups belong to them, and mounts their folder.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from deploy.compose.calls import build_images, call_compose, require_engine
from deploy.compose.installation import Installation, open_installation
from deploy.compose.secret_files import write_secret_files
from deploy.embedded.errors import StackError
from deploy.embedded.passwords import SERVICES
from deploy.embedded.recovery import KEYS_COPIED, KEYS_MISSING, RESTORED, put_back
from deploy.embedded.recovery_options import add_recovery_options
from libs.backup.keys import check_keys, copy_keys, refuse_one_place

_STOPPED = ("edge", *SERVICES, "rabbitmq", "redis")
_BACKUPS = "/backups"
_KEYS = "/keys"


def back_up(installation: Installation, words: Sequence[str]) -> None:
    """Take a full backup, remove what is too old, copy the secrets if told where.

    Raises:
        StackError: It was refused, or failed.
        AppError: The keys could not be copied, or lie with the data.
    """
    options = _options("backup", words)
    require_engine()
    if options.keys is not None:
        refuse_one_place(options.keys, options.folder)
    write_secret_files(installation)
    _run_backup(installation, options.folder, "backup", "full")
    if options.keys is None:
        print(KEYS_MISSING.format(installation.root))
        return
    copy_keys(installation.root, options.keys, options.folder)
    check_keys(options.keys)
    print(KEYS_COPIED.format(options.keys))


def add_segment(installation: Installation, words: Sequence[str]) -> None:
    """Add what came since the last backup or segment.

    Raises:
        StackError: It was refused, or failed.
    """
    options = _options("segment", words)
    require_engine()
    _run_backup(installation, options.folder, "backup", "segment")


def restore(installation: Installation, words: Sequence[str]) -> None:
    """Make databases and objects what they were; the services are stopped after it.

    Raises:
        StackError: It was refused, or failed.
        AppError: The copy of the keys is not whole.
    """
    options = _options("restore", words)
    require_engine()
    if options.keys is not None:
        put_back(options.keys, installation.root)
        # What it had chosen may have come with them.
        installation = open_installation(installation.root)
    write_secret_files(installation)
    installation.record()
    build_images(installation)
    call_compose(installation, "rm", "--stop", "--force", *_STOPPED)
    nodes = [member.partition(":")[0] for member in installation.members]
    call_compose(installation, "up", "--detach", "--wait", *nodes, "s3")
    moment = ("--at", options.at) if options.at else ()
    replacing = ("--replace",) if options.replace else ()
    arguments = ("restore", *moment, *replacing)
    _run_backup(installation, options.folder, "restore", *arguments)
    call_compose(installation, "run", "--rm", "-T", "--no-deps", "rewind")
    _distrust_access_tokens(installation)
    print(RESTORED)


def _options(command: str, words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"python -m deploy.compose {command}")
    add_recovery_options(parser, command)
    return parser.parse_args(words)


def _run_backup(
    installation: Installation, folder: Path, container: str, *words: str
) -> None:
    folder = folder.absolute()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    mount = _mounted(folder, _BACKUPS)
    call_compose(installation, *_RUN, *_as_caller(), *mount, container, *words)


def _distrust_access_tokens(installation: Installation) -> None:
    """Sign with new keys: a token of a session that no backup knows opens nothing."""
    mount = _mounted(installation.secrets / "auth", _KEYS)
    file = ("--env", f"AUTH_SIGNING_KEYS_FILE={_KEYS}/signing-keys.json")
    words = (*_RUN, "--no-deps", *_as_caller(), *mount, *file)
    call_compose(installation, *words, "auth", "keys", "renew")
    write_secret_files(installation)  # for containers to read what was renewed


def _mounted(folder: Path, target: str) -> tuple[str, str]:
    if ":" in str(folder):
        raise StackError(f"{folder}: Compose takes no such folder's name; use another")
    return "--volume", f"{folder}:{target}"


def _as_caller() -> tuple[str, str]:
    return "--user", f"{os.getuid()}:{os.getgid()}"


_RUN = ("run", "--rm", "-T")
