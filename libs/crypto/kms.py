"""Key-encryption keys that never leave AWS KMS, or a service that speaks like it.

KMS wraps and unwraps data keys by Encrypt and Decrypt; the encryption context is
authenticated, and stands in CloudTrail's log of every use. The AWS SDK blocks: its
calls run in a bounded pool of threads. Imported by who configures it alone.
Source: ADR 0019.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from libs.crypto.aead import DecryptError
from libs.crypto.keyring import KeyUnknownError
from libs.crypto.wrapping import WrappedKey
from libs.kernel import UnavailableError

T = TypeVar("T")
KmsClient = Any  # the SDK makes its clients' methods at run time

_PURPOSE = "parley.data-key.1"
_CONNECT_SECONDS = 1
_READ_SECONDS = 2
_ALTERED = ("InvalidCiphertextException", "IncorrectKeyException")
_UNKNOWN = ("NotFoundException", "DisabledException", "KMSInvalidStateException")


@dataclass(frozen=True, slots=True)
class KmsOptions:
    """How to reach KMS.

    Attributes:
        key_id: Id, ARN or alias of the symmetric key that wraps.
        region: Where it lives.
        endpoint_url: Of a service that speaks like KMS; None is AWS itself.
        access_key: None: as the SDK finds credentials (a role, its own files).
        secret_key: Belongs to `access_key`.
        threads: Calls at the same time.
        call_seconds: Deadline of one call, its wait for a thread included.
    """

    key_id: str
    region: str
    endpoint_url: str | None = None
    access_key: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)
    threads: int = 8
    call_seconds: float = 5.0


@asynccontextmanager
async def open_kms(options: KmsOptions) -> AsyncIterator["KmsKeyWrapper"]:
    """Open a client and look the key up, so that an alias becomes the key it means.

    Raises:
        UnavailableError: ``kms_unavailable``: KMS does not answer, or refuses.
        KeyUnknownError: There is no such key, or it is disabled.
    """
    client = await asyncio.to_thread(_client, options)
    pool = ThreadPoolExecutor(options.threads, thread_name_prefix="kms")
    try:
        wrapper = KmsKeyWrapper(client, pool, options)
        await wrapper.check()
        yield wrapper
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        client.close()


class KmsKeyWrapper:
    """`KeyWrapper` on KMS; see `open_kms`."""

    def __init__(
        self, client: KmsClient, pool: ThreadPoolExecutor, options: KmsOptions
    ) -> None:
        self._client = client
        self._pool = pool
        self._call_seconds = options.call_seconds
        self._slots = asyncio.Semaphore(options.threads)
        self._current_id = options.key_id

    @property
    def current_id(self) -> str:
        """ARN of the key that wraps."""
        return self._current_id

    def holds(self, key_id: str) -> bool:
        """Tell keys of KMS from those of a ring by their name."""
        return key_id.startswith("arn:")

    async def check(self) -> None:
        """Ask for the key's state, for health too; learn its ARN.

        Raises:
            UnavailableError: KMS does not answer, or refuses.
            KeyUnknownError: There is no such key, or it is disabled.
        """
        key_id = self._current_id
        answer = await self._call(
            key_id, lambda: self._client.describe_key(KeyId=key_id)
        )
        metadata = answer["KeyMetadata"]
        if not metadata.get("Enabled", False):
            raise KeyUnknownError(key_id)
        self._current_id = metadata["Arn"]

    async def wrap(self, key: bytes, context: Sequence[str]) -> WrappedKey:
        """Have KMS encrypt a data key for a context."""
        key_id, bound = self._current_id, _bound(context)
        answer = await self._call(
            key_id,
            lambda: self._client.encrypt(
                KeyId=key_id, Plaintext=key, EncryptionContext=bound
            ),
        )
        return WrappedKey(answer["KeyId"], answer["CiphertextBlob"])

    async def unwrap(self, wrapped: WrappedKey, context: Sequence[str]) -> bytes:
        """Have KMS decrypt a data key with the very key that wrapped it."""
        bound = _bound(context)
        answer = await self._call(
            wrapped.key_id,
            lambda: self._client.decrypt(
                KeyId=wrapped.key_id,
                CiphertextBlob=wrapped.wrapped,
                EncryptionContext=bound,
            ),
        )
        key: bytes = answer["Plaintext"]
        return key

    async def _call(self, key_id: str, call: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._call_seconds), self._slots:
                return await loop.run_in_executor(self._pool, call)
        except ClientError as error:
            raise _meaning(error, key_id) from None
        except (BotoCoreError, HTTPError, TimeoutError, OSError) as error:
            raise _unavailable(type(error).__name__) from error


def _meaning(error: ClientError, key_id: str) -> Exception:
    """Return what an answer of KMS means to us; its text may quote the request."""
    code = error.response.get("Error", {}).get("Code", "")
    if code in _ALTERED:
        return DecryptError("KMS refused a wrapped key: not for this key and place")
    if code in _UNKNOWN:
        return KeyUnknownError(key_id)
    return _unavailable(code)


def _unavailable(reason: str) -> UnavailableError:
    return UnavailableError(
        "kms_unavailable", "The key service does not answer.", reason=reason
    )


def _bound(context: Sequence[str]) -> dict[str, str]:
    """Return the encryption context: no two different lists give the same one."""
    places = {f"context.{place}": part for place, part in enumerate(context)}
    return {"purpose": _PURPOSE, **places}


def _client(options: KmsOptions) -> KmsClient:
    session = boto3.session.Session()
    return session.client(
        "kms",
        endpoint_url=options.endpoint_url,
        aws_access_key_id=options.access_key,
        aws_secret_access_key=options.secret_key,
        region_name=options.region,
        config=Config(
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            retries={"total_max_attempts": 2, "mode": "standard"},
            max_pool_connections=options.threads,
        ),
    )
