"""A key ring that follows its file: rotated while everything runs (SE-1)."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from libs.crypto.keyring import KeyRing, KeyRingError, KeyUnknownError

_LOOK_SECONDS: Final = 1.0
_log = structlog.get_logger(__name__)


class WatchedKeyRing(KeyRing):
    """Reads its file again when it changed, at most once a second.

    A file that cannot be used is told in the log, and the keys of before go on. Whoever
    needs the current key and its id asks for the id, then for its key.

    Args:
        path: Of the ring's file.
        monotonic: Clock in seconds.

    Raises:
        KeyRingError: The file cannot be used now.
    """

    def __init__(
        self, path: Path, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = path
        self._monotonic = monotonic
        self._stamp = _stamp(path)
        self._ring = KeyRing.from_file(path)
        self._looked_at = monotonic()

    @property
    def current_id(self) -> str:
        """Id of the key that encrypts now."""
        return self._newest().current_id

    @property
    def current_key(self) -> bytes:
        """The 32 bytes of the current key."""
        return self._newest().current_key

    @property
    def key_ids(self) -> tuple[str, ...]:
        """Ids of all keys, in the file's order."""
        return self._newest().key_ids

    def key(self, key_id: str) -> bytes:
        """Return the 32 bytes of a key.

        A key that is not known yet is looked for in the file at once: another process
        may have read it a moment earlier.

        Raises:
            KeyUnknownError: The file has no such key.
        """
        try:
            return self._newest().key(key_id)
        except KeyUnknownError:
            self._read_if_changed()
            return self._ring.key(key_id)

    def to_json(self) -> str:
        """Return the text of the ring's file. It is a secret."""
        return self._newest().to_json()

    def rotated(self) -> KeyRing:
        """Return a ring with one more key, which is current; the file stays."""
        return self._newest().rotated()

    def without(self, key_id: str) -> KeyRing:
        """Return a ring without a key; the file stays."""
        return self._newest().without(key_id)

    def __repr__(self) -> str:
        return f"WatchedKeyRing({str(self._path)!r})"

    def _newest(self) -> KeyRing:
        now = self._monotonic()
        if now - self._looked_at >= _LOOK_SECONDS:
            self._looked_at = now
            self._read_if_changed()
        return self._ring

    def _read_if_changed(self) -> None:
        stamp = _stamp(self._path)
        if stamp == self._stamp:
            return
        try:
            self._ring = KeyRing.from_file(self._path)
        except KeyRingError as error:
            # Somebody is at it: the keys we have go on working.
            _log.warning("key_ring_not_read", error=str(error))
            return
        self._stamp = stamp
        _log.info("key_ring_read", current_id=self._ring.current_id)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_ino)
