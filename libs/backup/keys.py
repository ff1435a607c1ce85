"""Keys, apart from the data: a copy of the folder of secrets in another place."""

import hashlib
import json
import shutil
from pathlib import Path

from libs.backup.errors import (
    BackupDamagedError,
    BackupMissingError,
    KeysBesideDataError,
)
from libs.backup.streams import private_file

_SUMS = "SHA256.json"


def copy_keys(secrets: Path, keys: Path, data: Path) -> list[str]:
    """Copy every file of the folder of secrets; an older copy stays until it is done.

    Args:
        secrets: What services read their keys from.
        keys: Where the copy goes; a folder of its own in it.
        data: Where the backups of data lie.

    Returns:
        The files' names.

    Raises:
        KeysBesideDataError: One of the two folders lies in the other.
        BackupMissingError: There are no secrets.
    """
    refuse_one_place(keys, data)
    names = [
        str(path.relative_to(secrets)) for path in secrets.rglob("*") if path.is_file()
    ]
    if not names:
        raise BackupMissingError(secrets)
    keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = keys / ".secrets.part"
    shutil.rmtree(part, ignore_errors=True)
    sums = {}
    for name in sorted(names):
        target = part / name
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = (secrets / name).read_bytes()
        sums[name] = hashlib.sha256(content).hexdigest()
        _write(target, content)
    _write(part / _SUMS, json.dumps(sums, indent=1).encode())
    _replace(part, keys / "secrets")
    return sorted(names)


def check_keys(keys: Path) -> dict[str, str]:
    """Return the checksums of a copy's files, after comparing all of them.

    Raises:
        BackupDamagedError: A file is not what was copied.
    """
    copy = keys / "secrets"
    try:
        sums: dict[str, str] = json.loads((copy / _SUMS).read_text())
        for name, expected in sums.items():
            if hashlib.sha256((copy / name).read_bytes()).hexdigest() != expected:
                raise BackupDamagedError(copy / name, "its checksum differs")
    except (FileNotFoundError, ValueError) as error:
        raise BackupDamagedError(copy, f"the copy is not whole ({error})") from error
    return sums


def put_keys_back(keys: Path, secrets: Path) -> list[str]:
    """Put the keys that are missing in a folder of secrets there; others stay.

    Returns:
        What was put.

    Raises:
        BackupDamagedError: The copy is not whole.
    """
    put = []
    for name in check_keys(keys):
        target = secrets / name
        if not target.exists():
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(target, (keys / "secrets" / name).read_bytes())
            put.append(name)
    return put


def refuse_one_place(keys: Path, data: Path) -> None:
    """Refuse keys in the folder of data, and the other way round.

    Raises:
        KeysBesideDataError: One of the two lies in the other.
    """
    keys, data = keys.resolve(), data.resolve()
    if keys == data or keys in data.parents or data in keys.parents:
        raise KeysBesideDataError(keys, data)


def _write(path: Path, content: bytes) -> None:
    with private_file(path) as file:
        file.write(content)


def _replace(part: Path, target: Path) -> None:
    old = target.with_name(".secrets.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    part.rename(target)
    shutil.rmtree(old, ignore_errors=True)
