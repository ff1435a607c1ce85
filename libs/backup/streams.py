"""Files of BSON documents: written whole or not at all, read back with their proof."""

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import msgspec

from libs.backup.errors import BackupDamagedError

_LEVEL = 1  # ciphertext does not shrink; the rest does at any level
_BLOCK = 1 << 20
_LENGTH = 4
_SMALLEST, _LARGEST = 5, 17 << 20  # BSON: an empty document, 16 MiB and its frame


class StoredFile(msgspec.Struct, frozen=True):
    """What a manifest says of a file.

    Attributes:
        name: In the folder of its manifest; a path is refused.
        size_bytes: As it lies on the disk.
        sha256: Of the same bytes.
        documents: In it; bytes of an object for an object.
    """

    name: str
    size_bytes: int
    sha256: str
    documents: int

    def __post_init__(self) -> None:
        if "/" in self.name or self.name in {".", ".."}:
            raise ValueError(f"{self.name!r} is no file's name")


@contextmanager
def private_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that only its owner may read, written to the disk at the end."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


class _Hashed:
    """A binary file that hashes and counts what goes through it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()
        self.size_bytes = 0

    def write(self, block: bytes) -> int:
        self.sha256.update(block)
        self.size_bytes += len(block)
        return self._file.write(block)

    def read(self, size: int = -1) -> bytes:
        block = self._file.read(size)
        self.sha256.update(block)
        self.size_bytes += len(block)
        return block

    def flush(self) -> None:
        self._file.flush()


class DocumentWriter:
    """Writes documents one after the other, compressed; mode 0600.

    The file has its name only after the block has ended well.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / name
        self._part = folder / f".{name}.part"
        self._documents = 0

    def __enter__(self) -> Self:
        descriptor = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._file = os.fdopen(descriptor, "wb")
        self._hashed = _Hashed(self._file)
        self._gzip = gzip.GzipFile(
            filename="", mode="wb", compresslevel=_LEVEL, fileobj=self._hashed, mtime=0
        )
        return self

    def write(self, documents: bytes) -> int:
        """Write documents as they come from the server; return how many they are."""
        count = count_documents(documents)
        self._gzip.write(documents)
        self._documents += count
        return count

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._file:
            self._gzip.close()
            self._file.flush()
            os.fsync(self._file.fileno())
        if kind is None:
            self._part.replace(self._path)
        else:
            self._part.unlink(missing_ok=True)

    def stored(self) -> StoredFile:
        """Return what a manifest has to say of the finished file."""
        return StoredFile(
            self._path.name,
            self._hashed.size_bytes,
            self._hashed.sha256.hexdigest(),
            self._documents,
        )


def count_documents(documents: bytes) -> int:
    """Count documents that lie one behind the other."""
    count = offset = 0
    while offset < len(documents):
        offset += int.from_bytes(documents[offset : offset + _LENGTH], "little")
        count += 1
    return count


def read_documents(folder: Path, stored: StoredFile) -> Iterator[bytes]:
    """Yield a file's documents; its proof is complete when the last was taken.

    Raises:
        BackupDamagedError: It is gone, cut off, or not what was written.
    """
    path = folder / stored.name
    try:
        with path.open("rb") as file:
            hashed = _Hashed(file)
            count = 0
            with gzip.GzipFile(fileobj=hashed, mode="rb") as stream:
                while document := _next_document(stream, path):
                    count += 1
                    yield document
            while hashed.read(_BLOCK):
                pass
    except FileNotFoundError:
        raise BackupDamagedError(path, "the file is missing") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BackupDamagedError(path, f"cut off or changed ({error})") from error
    if hashed.size_bytes != stored.size_bytes:
        raise BackupDamagedError(
            path, f"{hashed.size_bytes} bytes instead of {stored.size_bytes}"
        )
    if hashed.sha256.hexdigest() != stored.sha256 or count != stored.documents:
        raise BackupDamagedError(path, "its checksum differs")


def _next_document(stream: gzip.GzipFile, path: Path) -> bytes:
    """Return the next document, empty at the end."""
    head = stream.read(_LENGTH)
    if not head:
        return b""
    length = int.from_bytes(head, "little")
    if len(head) < _LENGTH or not _SMALLEST <= length <= _LARGEST:
        raise BackupDamagedError(path, "it holds no documents")
    rest = stream.read(length - _LENGTH)
    if len(rest) != length - _LENGTH:
        raise BackupDamagedError(path, "its last document is cut off")
    return head + rest


def check_documents(folder: Path, stored: StoredFile) -> None:
    """Read a file to its end.

    Raises:
        BackupDamagedError: It is not what was written.
    """
    for _ in read_documents(folder, stored):
        pass
