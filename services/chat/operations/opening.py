"""Opens what the service stands on, and its commands alike."""

from collections.abc import AsyncIterator
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
)
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from libs.chassis.health import Health
from libs.chassis.mongo import open_mongo
from libs.chassis.mongo import ping as ping_mongo
from libs.chassis.redis import open_redis
from libs.chassis.redis import ping as ping_redis
from libs.crypto import (
    DataKeys,
    FileKeyWrapper,
    JoinedKeyWrapper,
    KeyWrapper,
    WatchedKeyRing,
)
from libs.kernel import SystemClock
from services.chat.repository import ConversationVault, RenewalLimits, Schema
from services.chat.settings import ChatSettings

if TYPE_CHECKING:  # the driver stays in the adapters; these are its names alone
    from pymongo.asynchronous.database import AsyncDatabase
    from redis.asyncio import Redis

    Database = AsyncDatabase[dict[str, Any]]


@asynccontextmanager
async def open_vault(settings: ChatSettings) -> AsyncIterator[ConversationVault]:
    """Open the vault over the configured key-encryption keys; see `open_data_keys`."""
    limits = RenewalLimits(
        changes=settings.data_key_changes, age=timedelta(days=settings.data_key_days)
    )
    async with open_data_keys(settings) as data_keys:
        yield ConversationVault(data_keys, limits=limits)


@asynccontextmanager
async def open_data_keys(settings: ChatSettings) -> AsyncIterator[DataKeys]:
    """Open the key-encryption keys: the provider's, and the other one's for reading.

    Raises:
        KeyRingError: The file is no key ring.
        UnavailableError: KMS does not answer, or refuses.
        KeyUnknownError: KMS has no such key.
    """
    async with AsyncExitStack() as stack:
        wrappers: dict[str, KeyWrapper] = {}
        if settings.storage_keys_file is not None:
            ring = WatchedKeyRing(settings.storage_keys_file)
            wrappers["file"] = FileKeyWrapper(ring)
        if settings.storage_kms_key_id is not None:
            opening = _open_kms(settings, settings.storage_kms_key_id)
            wrappers["aws_kms"] = await stack.enter_async_context(opening)
        current = wrappers.pop(settings.storage_key_provider)
        yield DataKeys(JoinedKeyWrapper(current, *wrappers.values()))


def _open_kms(
    settings: ChatSettings, key_id: str
) -> AbstractAsyncContextManager[KeyWrapper]:
    from libs.crypto import kms  # noqa: PLC0415 - the SDK's 20 MB, where it is wanted

    access, secret = settings.storage_kms_access_key, settings.storage_kms_secret_key
    return kms.open_kms(
        kms.KmsOptions(
            key_id=key_id,
            region=settings.storage_kms_region,
            endpoint_url=settings.storage_kms_endpoint_url,
            access_key=None if access is None else access.get_secret_value(),
            secret_key=None if secret is None else secret.get_secret_value(),
            threads=settings.storage_kms_threads,
        )
    )


async def open_database(
    settings: ChatSettings, health: Health, stack: AsyncExitStack
) -> "Database":
    """Open the service's database, which has to be as this version needs it.

    Raises:
        SchemaBehindError: It is not: ``migrate apply`` makes it so.
    """
    database = await stack.enter_async_context(open_mongo(settings))
    health.add("mongodb", lambda: ping_mongo(database))
    await Schema(database, SystemClock()).require_current()
    return database


async def open_cache(
    settings: ChatSettings, health: Health, stack: AsyncExitStack
) -> "Redis":
    """Open the service's Redis; it may be away."""
    redis = await stack.enter_async_context(open_redis(settings))
    health.add("redis", lambda: ping_redis(redis), is_critical=False)
    return redis
