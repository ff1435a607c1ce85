"""The signing keys file: read again when it changed, written whole or not at all."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from libs.crypto import SigningKey, SigningKeysError
from libs.crypto.jwk import jwks, read_document
from libs.kernel import Clock
from services.auth.domain import KeySchedule

_LOOK_SECONDS = 1.0
_log = structlog.get_logger(__name__)


class FileSigningKeys:
    """The keys that sign and are published now; every process of auth reads the file.

    Args:
        path: Of the signing keys file.
        clock: Wall clock of the schedule.

    Raises:
        SigningKeysError: The file cannot be used.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._stamp = _stamp(path)
        self._schedule = read_schedule(path)
        self._looked_at = clock.monotonic()

    @property
    def current(self) -> SigningKey:
        """The key that signs now."""
        return self._newest().signing_at(self._clock.now().timestamp())

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """Return the public JWKS document."""
        return jwks(self._newest().published_at(self._clock.now().timestamp()))

    def _newest(self) -> KeySchedule:
        now = self._clock.monotonic()
        if now - self._looked_at >= _LOOK_SECONDS:
            self._looked_at = now
            self._read_if_changed()
        return self._schedule

    def _read_if_changed(self) -> None:
        stamp = _stamp(self._path)
        if stamp == self._stamp:
            return
        try:
            self._schedule = read_schedule(self._path)
        except SigningKeysError as error:
            # Somebody is at it: the keys we have go on working.
            _log.warning("signing_keys_not_read", error=str(error))
            return
        self._stamp = stamp
        _log.info(
            "signing_keys_read", kids=[one.key.kid for one in self._schedule.keys]
        )


def read_schedule(path: Path) -> KeySchedule:
    """Read a signing keys file.

    Raises:
        SigningKeysError: It cannot be used; names the file.
    """
    document = read_document(path)
    try:
        return KeySchedule.parse(document)
    except SigningKeysError as error:
        raise SigningKeysError(f"{path}: {error}") from None


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep others who change a signing keys file waiting."""
    with path.with_name(f".{path.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def write_schedule(path: Path, schedule: KeySchedule, now: float) -> None:
    """Put a schedule in the file's place; who reads sees the old one or the new one."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    mode = path.stat().st_mode & 0o640
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "w") as file:
        file.write(json.dumps(schedule.to_document(now), indent=2))
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_ino)
