"""Keys of the object store that follow their file: changed without a restart (SE-1)."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog
from botocore.credentials import CredentialProvider, Credentials, ReadOnlyCredentials
from botocore.session import Session

from libs.chassis.errors import StartError
from libs.crypto.keyring import KeyRingError, read_private_file

_LOOK_SECONDS: Final = 1.0
_Keys = tuple[str, str]
_log = structlog.get_logger()


class FileCredentials(Credentials):
    """What the SDK signs with: ``{"access_key": …, "secret_key": …}`` of a file.

    Read again when the file changed, at most once a second; a file that cannot be
    used is told in the log, and the keys of before go on. The SDK asks for each
    signature anew, from any thread.

    Args:
        path: Of the file; it is replaced whole.
        monotonic: Clock in seconds.

    Raises:
        StartError: The file cannot be used now; names it, never its content.
    """

    def __init__(
        self, path: Path, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = path
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._stamp = _stamp(path)
        self._looked_at = monotonic()
        super().__init__(*_read(path))

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Return the keys of now."""
        with self._lock:
            if self._monotonic() - self._looked_at >= _LOOK_SECONDS:
                self._looked_at = self._monotonic()
                self._read_if_changed()
            return ReadOnlyCredentials(self.access_key, self.secret_key, None)

    def _read_if_changed(self) -> None:
        stamp = _stamp(self._path)
        if stamp == self._stamp:
            return
        try:
            self.access_key, self.secret_key = _read(self._path)
        except StartError as error:
            _log.warning("store_keys_not_read", error=str(error))
            return
        self._stamp = stamp
        _log.info("store_keys_read")


def session_with(credentials: Credentials) -> Session:
    """Return a session of the SDK that signs with these and looks nowhere else."""
    session = Session()
    chain = session.get_component("credential_provider")
    chain.insert_before("env", _Given(credentials))
    return session


class _Given(CredentialProvider):
    """A provider of credentials that are there."""

    METHOD = "parley-file"
    CANONICAL_NAME = "parley-file"

    def __init__(self, credentials: Credentials) -> None:
        super().__init__()
        self._credentials = credentials

    def load(self) -> Credentials:
        """Return them."""
        return self._credentials


def _read(path: Path) -> _Keys:
    try:
        document = json.loads(read_private_file(path))
        keys = document["access_key"], document["secret_key"]
    except KeyRingError as error:
        raise StartError(f"store keys {path}: {error}") from None
    except (ValueError, KeyError, TypeError):
        raise StartError(f"store keys {path}: not a file of two keys") from None
    if not all(isinstance(key, str) and key for key in keys):
        raise StartError(f"store keys {path}: not a file of two keys")
    return keys


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_ino)
