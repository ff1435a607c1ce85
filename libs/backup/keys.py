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
    """Copy every file of the folder of secrets.

    An older copy stays until it is done, and beside it if a file of it is in the new
    one no more as it was: older backups may be read by that one alone.

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
            path = _within(copy, name)
            if hashlib.sha256(path.read_bytes()).hexdigest() != expected:
                raise BackupDamagedError(path, "its checksum differs")
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


def unlike(keys: Path, secrets: Path) -> list[str]:
    """Return the files that are there, but not as they were copied.

    Raises:
        BackupDamagedError: The copy is not whole.
    """
    return [
        name
        for name, expected in check_keys(keys).items()
        if (path := secrets / name).exists()
        and hashlib.sha256(path.read_bytes()).hexdigest() != expected
    ]


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


def _within(folder: Path, name: str) -> Path:
    """Return a file's path; a name that leads out of the folder is refused."""
    path = Path(name)
    if path.is_absolute() or ".." in path.parts:
        raise BackupDamagedError(folder / _SUMS, f"{name!r} leads out of the copy")
    return folder / path


def _replace(part: Path, target: Path) -> None:
    old = target.with_name(".secrets.old")
    if old.exists() and not target.exists():
        old.rename(target)  # an earlier copy was interrupted here
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(_other_name(target) if _is_needed(target, part) else old)
    part.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _is_needed(old: Path, new: Path) -> bool:
    """Tell whether a copy holds a file that the new one lacks, or has otherwise."""
    names = [path.relative_to(old) for path in old.rglob("*") if path.is_file()]
    return any(
        not (new / name).is_file()
        or (new / name).read_bytes() != (old / name).read_bytes()
        for name in names
        if name != Path(_SUMS)
    )


def _other_name(copy: Path) -> Path:
    """Return a free name for a copy that stays, by the time it was made."""
    made = int((copy / _SUMS).stat().st_mtime) if (copy / _SUMS).exists() else 0
    name = copy.with_name(f"{copy.name}.{made}")
    while name.exists():
        made += 1
        name = copy.with_name(f"{copy.name}.{made}")
    return name
