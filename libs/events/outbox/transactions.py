"""MongoDB transactions whose events leave when they commit."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar

from pymongo import WriteConcern
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import ConnectionFailure, PyMongoError

from libs.events.errors import DatabaseAwayError, WriteConflictError
from libs.events.frames import Row
from libs.events.outbox.store import OutboxStore
from libs.events.retrying import jittered
from libs.events.staging import StagedTransaction, Stager

R = TypeVar("R")

_COMMIT_SECONDS = 15.0
_RUN_SECONDS = 20.0
_RUN_TRIES = 40
_TRANSIENT = "TransientTransactionError"
_UNKNOWN = "UnknownTransactionCommitResult"
_CONCERN = WriteConcern("majority")


class CommitListener(Protocol):
    """Hears of what was committed; the relay."""

    def enqueue(self, rows: Sequence[Row]) -> None:
        """Take committed rows; returns at once."""
        ...

    def suspect(self) -> None:
        """Look into the outbox: rows may be there that nobody was told of."""
        ...


class Transactions:
    """Opens transactions, writes their outbox rows and tells the relay."""

    def __init__(
        self,
        database: AsyncDatabase[dict[str, Any]],
        store: OutboxStore,
        stager: Stager,
        listener: CommitListener,
    ) -> None:
        self._client = database.client
        self._store = store
        self._stager = stager
        self._listener = listener

    @asynccontextmanager
    async def open(self) -> AsyncIterator[StagedTransaction]:
        """Open one; see `libs.events.bus.EventBus.transaction`."""
        async with self._client.start_session() as session:
            await session.start_transaction(write_concern=_CONCERN)
            transaction = StagedTransaction(self._stager, session)
            try:
                yield transaction
                if transaction.rows:
                    await self._store.insert(transaction.rows, session)
            except PyMongoError as err:
                await _abort(session)
                raise typed(err) from err
            except BaseException:
                await _abort(session)
                raise
            await self._commit(transaction)

    async def run(
        self,
        callback: Callable[[StagedTransaction], Awaitable[R]],
        *,
        tries: int = _RUN_TRIES,
    ) -> R:
        """Run a callback in a transaction, again while it loses to others.

        A callback that swallows a duplicate key loses every time, since the server
        has aborted its transaction: hence the bound.

        Raises:
            WriteConflictError: It lost `tries` times, or for 20 s.
        """
        deadline = asyncio.get_running_loop().time() + _RUN_SECONDS
        attempt = 0
        while True:
            try:
                async with self.open() as transaction:
                    return await callback(transaction)
            except WriteConflictError:
                attempt += 1
                is_late = asyncio.get_running_loop().time() > deadline
                if is_late or attempt >= tries:
                    raise
                await asyncio.sleep(jittered(attempt, first=0.005, most=0.5))

    async def _commit(self, transaction: StagedTransaction) -> None:
        try:
            await _commit_until_known(transaction.session)
        except WriteConflictError:
            raise
        except BaseException:
            if transaction.rows:
                self._listener.suspect()
            raise
        if transaction.rows:
            self._listener.enqueue(transaction.rows)


async def _commit_until_known(session: AsyncClientSession) -> None:
    """Commit, and ask again while the answer was lost; never runs the body again."""
    deadline = asyncio.get_running_loop().time() + _COMMIT_SECONDS
    attempt = 0
    while True:
        try:
            await session.commit_transaction()
        except PyMongoError as err:
            if not err.has_error_label(_UNKNOWN):
                raise typed(err) from err
            if asyncio.get_running_loop().time() > deadline:
                raise DatabaseAwayError(
                    "commit_unknown",
                    "The database did not tell whether it committed.",
                    is_unknown=True,
                ) from err
            attempt += 1
            await asyncio.sleep(jittered(attempt, first=0.05, most=1.0))
        else:
            return


async def _abort(session: AsyncClientSession) -> None:
    """Abort; a server that is away forgets the transaction by itself."""
    if session.in_transaction:
        try:
            await session.abort_transaction()
        except PyMongoError:
            return


def typed(err: PyMongoError) -> Exception:
    """Return what a service sees of a driver's error."""
    if isinstance(err, ConnectionFailure):
        return DatabaseAwayError(
            "database_unavailable", "The database does not answer.", is_unknown=False
        )
    if err.has_error_label(_TRANSIENT):
        return WriteConflictError()
    return err
