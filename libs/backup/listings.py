"""Lists of objects as they lie in a backup folder; no SDK is needed to read them."""

import gzip
import hashlib
import zlib
from collections.abc import Iterator

import msgspec

from libs.backup.errors import BackupDamagedError
from libs.backup.folder import BackupFolder
from libs.backup.manifest import ObjectListing


class StoredObject(msgspec.Struct, frozen=True):
    """A line of a listing.

    Attributes:
        version: In a bucket that keeps versions, else empty.
        sha256: Of the copied bytes, else empty.
        content_type: Likewise.
    """

    key: str
    size_bytes: int
    etag: str
    version: str = ""
    sha256: str = ""
    content_type: str = ""

    @property
    def file_name(self) -> str:
        """Return the name of the file of its bytes, below ``objects``."""
        return f"{self.place}.bytes"

    @property
    def place(self) -> str:
        """Return where its bytes lie below ``objects``."""
        name = hashlib.sha256(f"{self.key}\0{self.etag}".encode()).hexdigest()
        return f"{name[:2]}/{name[:40]}"


def read_listing(
    folder: BackupFolder, listing: ObjectListing
) -> Iterator[StoredObject]:
    """Yield the lines of a listing.

    Raises:
        BackupDamagedError: It is not what was written.
    """
    path = folder.listings / listing.file.name
    try:
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != listing.file.sha256:
                raise BackupDamagedError(path, "its checksum differs")
        with gzip.open(path, "rb") as lines:
            for line in lines:
                yield msgspec.json.decode(line, type=StoredObject)
    except FileNotFoundError:
        raise BackupDamagedError(path, "the file is missing") from None
    except (EOFError, zlib.error, OSError, msgspec.DecodeError) as error:
        raise BackupDamagedError(path, f"cut off or changed ({error})") from error


def check_objects(folder: BackupFolder, listing: ObjectListing) -> int:
    """Read a listing and the copies it names; return how many objects there are.

    Raises:
        BackupDamagedError: Something is not what was written.
    """
    count = 0
    for one in read_listing(folder, listing):
        count += 1
        if listing.is_copied:
            path = folder.objects / one.file_name
            try:
                with path.open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
            except FileNotFoundError:
                raise BackupDamagedError(path, "the file is missing") from None
            if digest != one.sha256:
                raise BackupDamagedError(path, "its checksum differs")
    return count
