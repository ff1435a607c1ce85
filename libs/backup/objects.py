"""Objects of a bucket: listed with each backup, their bytes kept once.

Bytes are copied into ``objects``, or stay in a bucket that keeps versions. An object
that is there is never read again: its name follows from key and ETag.
"""

import gzip
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from libs.backup.errors import ServerRefusedError
from libs.backup.folder import BackupFolder
from libs.backup.listings import StoredObject, read_listing
from libs.backup.manifest import ObjectListing
from libs.backup.streams import StoredFile, private_file

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import CopySourceTypeDef

_BLOCK = 1 << 20
_TOLD = 1_000


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn the SDK's errors into a typed one."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise ServerRefusedError(f"S3: {error}"[:400]) from error


@dataclass(frozen=True)
class Bucket:
    """One bucket at an S3-compatible store."""

    s3: "S3Client"
    name: str

    def keeps_versions(self) -> bool:
        """Tell whether versioning is on."""
        answer = self.s3.get_bucket_versioning(Bucket=self.name)
        return answer.get("Status") == "Enabled"

    def listed(self) -> Iterator[StoredObject]:
        """Yield the objects that are there now, by key."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        for page in pages:
            for one in page.get("Contents", []):
                yield StoredObject(one["Key"], one["Size"], one["ETag"], "", "")

    def listed_versions(self) -> Iterator[StoredObject]:
        """Yield the present version of each object, by key."""
        pages = self.s3.get_paginator("list_object_versions").paginate(Bucket=self.name)
        for page in pages:
            for one in page.get("Versions", []):
                if one["IsLatest"]:
                    yield StoredObject(
                        one["Key"], one["Size"], one["ETag"], one["VersionId"], ""
                    )

    def etag_of(self, key: str) -> str | None:
        """Return the ETag of what is there under a key now, None for nothing."""
        try:
            return self.s3.head_object(Bucket=self.name, Key=key)["ETag"]
        except ClientError as error:
            if _is_missing(error):
                return None
            raise

    def fetch(self, one: StoredObject, path: Path) -> StoredObject | None:
        """Write an object's bytes to a file; None if it is gone meanwhile."""
        try:
            found = self.s3.get_object(Bucket=self.name, Key=one.key, IfMatch=one.etag)
        except ClientError as error:
            if _is_missing(error):
                return None
            raise
        digest = hashlib.sha256()
        with private_file(path) as file:
            while block := found["Body"].read(_BLOCK):
                digest.update(block)
                file.write(block)
        return msgspec.structs.replace(
            one, sha256=digest.hexdigest(), content_type=found.get("ContentType", "")
        )

    def put_back(self, one: StoredObject, objects: Path) -> None:
        """Make an object what it was: from its copy, or from its version."""
        if one.version:
            source: CopySourceTypeDef = {
                "Bucket": self.name,
                "Key": one.key,
                "VersionId": one.version,
            }
            self.s3.copy_object(Bucket=self.name, Key=one.key, CopySource=source)
            return
        extra = {"ContentType": one.content_type} if one.content_type else {}
        path = str(objects / one.file_name)
        self.s3.upload_file(path, self.name, one.key, ExtraArgs=extra)


def _is_missing(error: ClientError) -> bool:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status in (HTTPStatus.NOT_FOUND, HTTPStatus.PRECONDITION_FAILED)


@dataclass(frozen=True)
class ObjectCopies:
    """Takes the objects of a bucket into a backup folder.

    Attributes:
        is_copying: Whether bytes are copied; else the bucket has to keep versions.
    """

    bucket: Bucket
    folder: BackupFolder
    is_copying: bool
    tell: Callable[[str, int, int], None]

    def take(self) -> ObjectListing:
        """List the bucket, and copy what is not here yet.

        Raises:
            ServerRefusedError: The bucket keeps no versions, and nothing is copied.
        """
        part = self.folder.listings / f".listing.{os.getpid()}"
        objects = size_bytes = 0
        with (
            store_errors(),
            private_file(part) as raw,
            gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as listing,
        ):
            for one in self._taken():
                listing.write(msgspec.json.encode(one) + b"\n")
                objects, size_bytes = objects + 1, size_bytes + one.size_bytes
                if objects % _TOLD == 0:
                    self.tell("objects", objects, objects + 1)
        self.tell("objects", objects, objects)
        with part.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        stored = StoredFile(f"{digest}.jsonl.gz", part.stat().st_size, digest, objects)
        part.replace(self.folder.listings / stored.name)
        return ObjectListing(stored, self.is_copying, size_bytes)

    def _taken(self) -> Iterator[StoredObject]:
        if self.is_copying:
            for one in self.bucket.listed():
                copied = self._copied(one)
                if copied is not None:
                    yield copied
            return
        if not self.bucket.keeps_versions():
            raise ServerRefusedError(
                f"S3: bucket {self.bucket.name} keeps no versions: turn versioning "
                "on, or let objects be copied (BACKUP_OBJECTS=copy)."
            )
        yield from self.bucket.listed_versions()

    def _copied(self, one: StoredObject) -> StoredObject | None:
        path = self.folder.objects / one.file_name
        note = path.with_suffix(".json")
        if note.exists():
            return msgspec.json.decode(note.read_bytes(), type=StoredObject)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        part = path.with_name(f".{path.name}.{os.getpid()}")
        fetched = self.bucket.fetch(one, part)
        if fetched is None:
            part.unlink(missing_ok=True)
            return None
        part.replace(path)
        with private_file(part) as file:
            file.write(msgspec.json.encode(fetched))
        part.replace(note)
        return fetched


def put_objects_back(
    bucket: Bucket,
    folder: BackupFolder,
    listing: ObjectListing,
    tell: Callable[[str, int, int], None],
) -> int:
    """Put back the objects that are not what they were; return how many.

    What the bucket holds beside them stays.
    """
    put = 0
    with store_errors():
        for number, one in enumerate(read_listing(folder, listing), 1):
            if bucket.etag_of(one.key) != one.etag:
                bucket.put_back(one, folder.objects)
                put += 1
            tell("objects", number, listing.file.documents)
    return put
