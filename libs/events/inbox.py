"""The inbox: effects once per (subscription, event), on MongoDB."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError, DuplicateKeyError, PyMongoError

from libs.events.bus import Transaction
from libs.events.consuming.ports import BatchWork, OrderBook, Work
from libs.events.outbox.transactions import Transactions, typed
from libs.events.staging import StagedTransaction, Stager
from libs.kernel import Clock, EventId

KEPT_FOR = timedelta(days=14)
"""Longer than all retry tiers and any replay."""

_TRIES = 6


class KnownError(Exception):
    """The inbox has the event, or one of the batch."""


class MongoInbox:
    """`libs.events.consuming.ports.Effects` on the service's own database."""

    def __init__(
        self,
        database: AsyncDatabase[dict[str, Any]],
        transactions: Transactions,
        stager: Stager,
        clock: Clock,
    ) -> None:
        self._inbox = database["inbox"]
        self._transactions = transactions
        self._stager = stager
        self._clock = clock
        self._order_book: OrderBook | None = None

    @property
    def order_book(self) -> OrderBook:
        """Where ordered subscriptions stand.

        Raises:
            TypeError: `use_order_book` was not called.
        """
        if self._order_book is None:
            raise TypeError("this inbox has no order book")
        return self._order_book

    def use_order_book(self, order_book: OrderBook) -> None:
        """Give it the order book, which records its events in this inbox."""
        self._order_book = order_book

    async def ensure_indexes(self) -> None:
        """Create the TTL index; does nothing where it is."""
        seconds = int(KEPT_FOR.total_seconds())
        await self._inbox.create_index("at", expireAfterSeconds=seconds)

    async def apply(self, subscription: str, event_id: EventId, work: Work) -> bool:
        """Run work in the transaction of the inbox row; see `Effects.apply`."""

        async def run(transaction: Transaction) -> None:
            await self.record(subscription, [event_id], transaction.session)
            await work(transaction)

        try:
            await self._transactions.run(run, tries=_TRIES)
        except KnownError:
            return False
        return True

    async def apply_outside(
        self, subscription: str, event_id: EventId, work: Work
    ) -> bool:
        """Run work, then record it; see `Effects.apply_outside`."""
        if await self._known(subscription, [event_id]):
            return False
        staged = StagedTransaction(self._stager, None)
        await work(staged)

        async def record(transaction: StagedTransaction) -> None:
            await self.record(subscription, [event_id], transaction.session)
            transaction.rows.extend(staged.rows)

        try:
            await self._transactions.run(record, tries=_TRIES)
        except KnownError:
            return False
        return True

    async def count_start(self, subscription: str, event_id: EventId) -> int:
        """Count a start outside of any transaction; see `Effects.count_start`."""
        document = await self._inbox.find_one_and_update(
            {"_id": _key(subscription, event_id) | {"is_start": True}},
            {"$inc": {"starts": 1}, "$setOnInsert": {"at": self._clock.now()}},
            upsert=True,
            return_document=True,
        )
        return int(document["starts"]) if document else 1

    async def apply_batch(
        self, subscription: str, event_ids: Sequence[EventId], work: BatchWork
    ) -> None:
        """Run work over unknown ids in one transaction; see `Effects.apply_batch`."""
        fresh = list(event_ids)

        async def run(transaction: Transaction) -> None:
            await self.record(subscription, fresh, transaction.session)
            failed = await work(transaction, frozenset(fresh))
            if failed:
                keys = [_key(subscription, event_id) for event_id in failed]
                await self._inbox.delete_many(
                    {"_id": {"$in": keys}}, session=transaction.session
                )

        while fresh:
            try:
                await self._transactions.run(run, tries=_TRIES)
            except KnownError:
                known = await self._known(subscription, fresh)
                fresh = [event_id for event_id in fresh if event_id not in known]
            else:
                return

    async def record(
        self, subscription: str, ids: Sequence[EventId], session: AsyncClientSession
    ) -> None:
        """Insert inbox rows; a duplicate has aborted the transaction on the server.

        Raises:
            KnownError: One of the ids is there; which one, the caller looks up.
        """
        now = self._clock.now()
        rows = [{"_id": _key(subscription, event_id), "at": now} for event_id in ids]
        try:
            if len(rows) == 1:
                await self._inbox.insert_one(rows[0], session=session)
            else:
                await self._inbox.insert_many(rows, session=session)
        except DuplicateKeyError as err:
            raise KnownError from err
        except BulkWriteError as err:
            if _is_duplicate(err):
                raise KnownError from err
            raise

    async def _known(
        self, subscription: str, ids: Sequence[EventId]
    ) -> frozenset[EventId]:
        keys = [_key(subscription, event_id) for event_id in ids]
        found = self._inbox.find({"_id": {"$in": keys}}, {"_id": 1})
        try:
            return frozenset([EventId(row["_id"]["e"]) async for row in found])
        except PyMongoError as err:
            raise typed(err) from err


def _key(subscription: str, event_id: EventId) -> dict[str, str]:
    return {"s": subscription, "e": event_id}


def _is_duplicate(err: BulkWriteError) -> bool:
    duplicate_key = 11000
    errors: list[dict[str, Any]] = (err.details or {}).get("writeErrors", [])
    return any(error.get("code") == duplicate_key for error in errors)
