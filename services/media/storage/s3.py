"""Bytes in S3, through the AWS SDK in a bounded pool of threads."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from libs.kernel import UnavailableError
from services.media.ports import StoredObject, UploadTicket
from services.media.storage.credentials import FileCredentials, session_with

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

T = TypeVar("T")

_PIECE_BYTES = 256 * 1024
_NOT_FOUND = 404
_MAX_DELETED_AT_ONCE = 1_000  # the limit of DeleteObjects
_CONNECT_SECONDS = 2
_READ_SECONDS = 4


@dataclass(frozen=True, slots=True)
class S3Options:
    """How to reach the store.

    Attributes:
        endpoint_url: Where this service reaches it.
        public_url: Where clients reach it; the address that tickets are signed for.
        bucket: The one bucket of this service.
        region: Part of every signature; self-hosted stores take any.
        credentials_file: Keys of this service's own identity; see `FileCredentials`.
        threads: Calls at the same time.
        call_seconds: Deadline of a call without a body.
        transfer_seconds: Deadline of a call that moves a file.
    """

    endpoint_url: str
    public_url: str
    bucket: str
    region: str
    credentials_file: Path
    threads: int = 8
    call_seconds: float = 5.0
    transfer_seconds: float = 40.0


@asynccontextmanager
async def open_s3(options: S3Options) -> AsyncIterator["S3ObjectStore"]:
    """Open the store's clients; leaving the block closes them.

    Opens no connection: whether the store answers is `S3ObjectStore.ping`'s matter.

    Raises:
        StartError: There are no keys to sign with.
    """
    keys = FileCredentials(options.credentials_file)
    client = await asyncio.to_thread(_client, options, keys, options.endpoint_url)
    signer = await asyncio.to_thread(_client, options, keys, options.public_url)
    pool = ThreadPoolExecutor(options.threads, thread_name_prefix="s3")
    try:
        yield S3ObjectStore(client, signer, pool, options)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        client.close()
        signer.close()


class S3ObjectStore:
    """The `ObjectStore` on S3."""

    def __init__(
        self,
        client: "S3Client",
        signer: "S3Client",
        pool: ThreadPoolExecutor,
        options: S3Options,
    ) -> None:
        self._client = client
        self._signer = signer
        self._pool = pool
        self._options = options
        self._bucket = options.bucket
        self._slots = asyncio.Semaphore(options.threads)

    async def sign_upload(
        self, key: str, *, content_type: str, size_bytes: int, lifetime: timedelta
    ) -> UploadTicket:
        """Sign a PUT; computes for about a millisecond, asks nobody.

        Length, type and the condition are signed headers: another length, another
        type or a second use is refused by the store.
        """
        url = self._signer.generate_presigned_url(
            "put_object",
            Params={
                "Bucket": self._bucket,
                "Key": key,
                "ContentType": content_type,
                "ContentLength": size_bytes,
                "IfNoneMatch": "*",
            },
            ExpiresIn=int(lifetime.total_seconds()),
        )
        headers = {"Content-Type": content_type, "If-None-Match": "*"}
        return UploadTicket("PUT", url, headers)

    async def sign_download(
        self, key: str, *, content_type: str, disposition: str, lifetime: timedelta
    ) -> str:
        """Sign a GET; computes for about a millisecond, asks nobody."""
        return self._signer.generate_presigned_url(
            "get_object",
            Params={
                "Bucket": self._bucket,
                "Key": key,
                "ResponseContentType": content_type,
                "ResponseContentDisposition": disposition,
                "ResponseCacheControl": "private, no-store",
            },
            ExpiresIn=int(lifetime.total_seconds()),
        )

    async def stat(self, key: str) -> StoredObject | None:
        """Return what lies under a key, or None; see `ObjectStore.stat`."""
        return await self._call(self._stat, key)

    async def download(self, key: str, target: Path, *, max_bytes: int) -> bool:
        """Write an object into a file; see `ObjectStore.download`."""
        return await self._transfer(self._download, key, target, max_bytes)

    async def upload(self, key: str, source: Path, *, content_type: str) -> None:
        """Store a file under a key; see `ObjectStore.upload`."""
        await self._transfer(self._upload, key, source, content_type)

    async def blank(self, key: str) -> None:
        """Put an empty object there; see `ObjectStore.blank`."""
        await self._call(self._blank, key)

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove objects; see `ObjectStore.delete`."""
        for start in range(0, len(keys), _MAX_DELETED_AT_ONCE):
            await self._call(self._delete, keys[start : start + _MAX_DELETED_AT_ONCE])

    async def ping(self) -> None:
        """Ask for an object that need not be there."""
        await self._call(self._stat, "ping")

    async def _call(self, work: Callable[..., T], *args: object) -> T:
        return await self._run(self._options.call_seconds, work, *args)

    async def _transfer(self, work: Callable[..., T], *args: object) -> T:
        return await self._run(self._options.transfer_seconds, work, *args)

    async def _run(self, seconds: float, work: Callable[..., T], *args: object) -> T:
        """Run blocking work in the pool, waiting for a free thread included.

        A thread cannot be cancelled: the slot is given back when the work has ended,
        so that no queue grows behind a store that hangs.
        """
        loop = asyncio.get_running_loop()

        def give_back() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is gone at the end
                loop.call_soon_threadsafe(self._slots.release)

        try:
            async with asyncio.timeout(seconds):
                await self._slots.acquire()
                future = self._pool.submit(work, *args)
                future.add_done_callback(lambda _: give_back())
                return await asyncio.wrap_future(future)
        except (TimeoutError, BotoCoreError, ClientError, HTTPError) as error:
            raise UnavailableError(
                "store_unavailable",
                "The object store does not answer.",
                retry_after_seconds=5,
            ) from error

    def _stat(self, key: str) -> StoredObject | None:
        try:
            found = self._client.head_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if _is_missing(error):
                return None
            raise
        return StoredObject(found["ContentLength"], found.get("ContentType", ""))

    def _download(self, key: str, target: Path, max_bytes: int) -> bool:
        try:
            found = self._client.get_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if _is_missing(error):
                return False
            raise
        with contextlib.closing(found["Body"]) as body, target.open("wb") as file:
            size = 0
            for piece in body.iter_chunks(_PIECE_BYTES):
                size += len(piece)
                if size > max_bytes:
                    return False
                file.write(piece)
        return True

    def _upload(self, key: str, source: Path, content_type: str) -> None:
        with source.open("rb") as file:
            self._client.put_object(
                Bucket=self._bucket, Key=key, Body=file, ContentType=content_type
            )

    def _blank(self, key: str) -> None:
        self._client.put_object(Bucket=self._bucket, Key=key, Body=b"")

    def _delete(self, keys: Sequence[str]) -> None:
        objects = [{"Key": key} for key in keys]
        answer = self._client.delete_objects(
            Bucket=self._bucket,
            Delete={"Objects": objects, "Quiet": True},  # type: ignore[typeddict-item]  # a list of one-key dicts
        )
        failed = [item for item in answer.get("Errors", []) if _is_failure(item)]
        if failed:
            raise UnavailableError(
                "store_unavailable", "The store kept objects.", count=len(failed)
            )


def _client(options: S3Options, keys: FileCredentials, url: str) -> "S3Client":
    session = boto3.session.Session(botocore_session=session_with(keys))
    return session.client(
        "s3",
        endpoint_url=url,
        region_name=options.region,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            retries={"total_max_attempts": 2, "mode": "standard"},
            max_pool_connections=options.threads,
            # Checksums in trailers are AWS's own; other stores differ about them.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


def _is_missing(error: ClientError) -> bool:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return bool(status == _NOT_FOUND)


def _is_failure(item: object) -> bool:
    code = item.get("Code") if isinstance(item, dict) else None
    return code not in ("NoSuchKey", "404")
