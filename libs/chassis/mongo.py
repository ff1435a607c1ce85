"""MongoDB: one tuned client a process, and what its failures mean."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    ExecutionTimeout,
    InvalidURI,
    NetworkTimeout,
    PyMongoError,
    WaitQueueTimeoutError,
)

from libs.chassis.errors import StartError
from libs.chassis.settings import MongoSettings
from libs.kernel import UnavailableError

Document = Mapping[str, Any]
_TRANSIENT = (
    ConnectionFailure,  # AutoReconnect, NotPrimary, ServerSelectionTimeout and more
    ExecutionTimeout,
    NetworkTimeout,
    WaitQueueTimeoutError,
)
# Codes of servers that are stepping down, shutting down or out of something; source:
# the driver specification "retryable writes", and 13436, 11602 of the same list.
_TRANSIENT_CODES = frozenset(
    {6, 7, 50, 89, 91, 112, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436}
)


@asynccontextmanager
async def open_mongo(
    settings: MongoSettings,
) -> AsyncIterator[AsyncDatabase[dict[str, Any]]]:
    """Open the service's database; no server is contacted before first use.

    Writes are acknowledged by a majority and journalled, every operation ends within
    5 s, and a fallen primary is noticed within about a second.

    Raises:
        StartError: The connection string cannot be read.
    """
    client = _client(settings)
    try:
        yield client[settings.mongo_database]
    finally:
        await client.close()


async def ping(database: AsyncDatabase[dict[str, Any]]) -> None:
    """Check for `Health.add`: the server answers this account; raises if not."""
    await database.command("ping")


def as_unavailable(error: PyMongoError) -> UnavailableError | None:
    """Return what a driver's failure means, None if it is a bug or a conflict."""
    code = getattr(error, "code", None)
    is_transient = isinstance(error, _TRANSIENT) or code in _TRANSIENT_CODES
    if not (is_transient or error.timeout or _has_transient_label(error)):
        return None
    return UnavailableError("database_unavailable", "The database does not answer.")


@contextmanager
def map_mongo_errors() -> Iterator[None]:
    """Turn the driver's transient failures into `UnavailableError`.

    Others, a duplicate key for one, pass through: a repository knows what they mean.
    """
    try:
        yield
    except PyMongoError as error:
        unavailable = as_unavailable(error)
        if unavailable is None:
            raise
        raise unavailable from error


def _has_transient_label(error: PyMongoError) -> bool:
    return error.has_error_label("TransientTransactionError") or error.has_error_label(
        "RetryableWriteError"
    )


def _client(settings: MongoSettings) -> AsyncMongoClient[dict[str, Any]]:
    try:
        return AsyncMongoClient(
            settings.mongo_url.get_secret_value(),
            appname=settings.mongo_database,
            connectTimeoutMS=2_000,
            serverSelectionTimeoutMS=3_000,
            heartbeatFrequencyMS=1_000,
            timeoutMS=5_000,
            maxPoolSize=50,
            w="majority",
            journal=True,
            retryWrites=True,
            tz_aware=True,
        )
    except (ConfigurationError, InvalidURI, ValueError):
        # Not chained: the driver's message may quote the account.
        raise StartError("mongo_url is not a MongoDB connection string") from None
