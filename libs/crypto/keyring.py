"""Key ring: a few 256-bit keys under rotation ids, one of them current."""

import base64
import binascii
import json
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from libs.crypto.aead import KEY_BYTES
from libs.kernel import UnavailableError

_KEY_ID_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")


class KeyRingError(Exception):
    """A key ring cannot be read; the sentence names the file, never its content."""


class KeyUnknownError(UnavailableError):
    """A ring does not hold the key that something was encrypted with.

    Transient: a writer may have got the next key before this process's ring file
    was replaced.
    """

    def __init__(self, key_id: str) -> None:
        super().__init__("key_unknown", "The key ring has no such key.", key_id=key_id)


class KeyRing:
    """Immutable; rotation makes a new ring."""

    def __init__(self, current_id: str, keys: Mapping[str, bytes]) -> None:
        """Check and hold the keys.

        Raises:
            KeyRingError: Nothing under `current_id`, an id that is not 1..64 of
                ``A-Za-z0-9._:-``, or a key that is not 32 bytes long.
        """
        for key_id, key in keys.items():
            if not _KEY_ID_PATTERN.fullmatch(key_id):
                raise KeyRingError("a key id is not 1..64 of A-Z a-z 0-9 . _ : -")
            if len(key) != KEY_BYTES:
                raise KeyRingError(f"key {key_id} is not {KEY_BYTES} bytes long")
        if current_id not in keys:
            raise KeyRingError("the current key is not in the ring")
        self._current_id = current_id
        self._keys = MappingProxyType(dict(keys))

    @classmethod
    def generate(cls) -> "KeyRing":
        """Return a ring with one random key."""
        key_id = _new_key_id()
        return cls(key_id, {key_id: os.urandom(KEY_BYTES)})

    @classmethod
    def from_file(cls, path: Path) -> "KeyRing":
        """Read a ring: ``{"current": id, "keys": {id: base64 of 32 bytes}}``.

        Raises:
            KeyRingError: No such file, not a ring, or everyone on the machine may
                read it (group may: a mounted secret is group-readable).
        """
        try:
            return cls.from_json(read_private_file(path))
        except KeyRingError as error:
            raise KeyRingError(f"key ring {path}: {error}") from None

    @classmethod
    def from_json(cls, text: str) -> "KeyRing":
        """Parse the text of a ring file; raises `KeyRingError`."""
        try:
            document = json.loads(text)
            current_id, encoded = document["current"], document["keys"]
            keys = {
                str(key_id): base64.b64decode(value, validate=True)
                for key_id, value in encoded.items()
            }
        except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
            # Not chained: a parser's message may quote the key.
            raise KeyRingError('not {"current": id, "keys": {id: base64}}') from None
        return cls(str(current_id), keys)

    def to_json(self) -> str:
        """Return the text of a ring file. It is a secret: write it with mode 0600."""
        keys = {
            key_id: base64.b64encode(key).decode() for key_id, key in self._keys.items()
        }
        return json.dumps({"current": self.current_id, "keys": keys}, indent=2)

    @property
    def current_id(self) -> str:
        """Id of the key that encrypts; the others only decrypt."""
        return self._current_id

    @property
    def key_ids(self) -> tuple[str, ...]:
        """Ids of all keys, in the file's order."""
        return tuple(self._keys)

    def key(self, key_id: str) -> bytes:
        """Return the 32 bytes of a key.

        Raises:
            KeyUnknownError: The ring has no such key.
        """
        try:
            return self._keys[key_id]
        except KeyError:
            raise KeyUnknownError(key_id) from None

    @property
    def current_key(self) -> bytes:
        """The 32 bytes of the current key."""
        return self._keys[self._current_id]

    def rotated(self) -> "KeyRing":
        """Return a ring with one more key, which is current."""
        key_id = _new_key_id()
        return KeyRing(key_id, {**self._keys, key_id: os.urandom(KEY_BYTES)})

    def without(self, key_id: str) -> "KeyRing":
        """Return a ring without a key: what only it opens is gone for good.

        Raises:
            KeyRingError: It is the current key.
        """
        rest = {known: key for known, key in self._keys.items() if known != key_id}
        return KeyRing(self.current_id, rest)

    def __repr__(self) -> str:
        return f"KeyRing(current_id={self.current_id!r}, keys={len(self._keys)})"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a key ring is never pickled")


def read_private_file(path: Path) -> str:
    """Read a file that holds a secret.

    Returns:
        Its text.

    Raises:
        KeyRingError: It cannot be read, is no UTF-8 text, or others than owner and
            group may read it.
    """
    try:
        mode = path.stat().st_mode
        text = path.read_text("utf-8")
    except OSError as error:
        raise KeyRingError(error.strerror or "cannot be read") from None
    except UnicodeDecodeError:
        raise KeyRingError("not a text file") from None
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        raise KeyRingError("everyone may read or write it; run chmod 600 on it")
    return text


def _new_key_id() -> str:
    # Short, as it stands beside every ciphertext; random, so that two
    # administrators who rotate at the same time do not collide.
    return os.urandom(5).hex()
