"""MongoDB: one tuned client a process, and what its failures mean."""

import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pymongo
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
from pymongo.monitoring import (
    TopologyClosedEvent,
    TopologyDescriptionChangedEvent,
    TopologyListener,
    TopologyOpenedEvent,
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


# An election takes about 2 s and has to be waited for; what is away for longer is known
# to be away, and then nobody waits for it longer than this.
_ELECTION_SECONDS = 3.0
_AWAY_SECONDS = 0.5


class PrimaryWatch(TopologyListener):
    """Knows since when there has been no primary; told by the driver's monitors."""

    def __init__(self) -> None:
        self._lost_at: float | None = None

    @property
    def is_away(self) -> bool:
        """Whether there has been none for longer than an election takes."""
        lost_at = self._lost_at
        return lost_at is not None and time.monotonic() - lost_at > _ELECTION_SECONDS

    def opened(self, event: TopologyOpenedEvent) -> None:  # noqa: ARG002 - the driver's
        """Begin: nothing is known of a primary yet."""
        self._lost_at = time.monotonic()

    def description_changed(self, event: TopologyDescriptionChangedEvent) -> None:
        """Note when the primary goes and comes."""
        if event.new_description.has_writable_server():
            self._lost_at = None
        elif self._lost_at is None:
            self._lost_at = time.monotonic()

    def closed(self, event: TopologyClosedEvent) -> None:
        """Do nothing."""


class _Client(AsyncMongoClient[dict[str, Any]]):
    """Waits less for a server while there is known to be none.

    With ``timeoutMS`` the driver gives the search for a server all of an operation's
    time and ignores ``serverSelectionTimeoutMS``, so every request would take 5 s to be
    refused. There is no public hook; a test proves that this one is still called.
    """

    def __init__(self, watch: PrimaryWatch, url: str, **options: Any) -> None:  # noqa: ANN401 - the driver's
        super().__init__(url, event_listeners=[watch], **options)
        self._watch = watch

    async def _select_server(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the driver's
        if not self._watch.is_away:
            return await super()._select_server(*args, **kwargs)
        with pymongo.timeout(_AWAY_SECONDS):
            return await super()._select_server(*args, **kwargs)


@asynccontextmanager
async def open_mongo(
    settings: MongoSettings,
) -> AsyncIterator[AsyncDatabase[dict[str, Any]]]:
    """Open the service's database; no server is contacted before first use.

    Writes are acknowledged by a majority and journalled, every operation ends within
    5 s, and a fallen primary is noticed within about a second. While there has been no
    primary for more than 3 s, operations fail in less than one.

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


@contextmanager
def driver_errors(session: object | None) -> Iterator[None]:
    """Map transient failures to `UnavailableError`, but not in a transaction.

    There the bus must see the driver's own labels: they say whether to run the
    transaction again.

    Args:
        session: The transaction's, None outside of one.
    """
    if session is not None:
        yield
        return
    with map_mongo_errors():
        yield


def _has_transient_label(error: PyMongoError) -> bool:
    return error.has_error_label("TransientTransactionError") or error.has_error_label(
        "RetryableWriteError"
    )


def _client(settings: MongoSettings) -> AsyncMongoClient[dict[str, Any]]:
    try:
        return _Client(
            PrimaryWatch(),
            settings.mongo_url.get_secret_value(),
            appname=settings.mongo_database,
            connectTimeoutMS=2_000,
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
