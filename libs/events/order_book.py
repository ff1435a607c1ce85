"""Where ordered subscriptions stand, on MongoDB: last numbers and parked events.

``ordered_keys`` has ``{_id: {s, k}, n: last number, blocked: why or absent}``;
``ordered_parked`` has ``{_id: {s, e}, k, n, at, b: encoded CloudEvent}``. A key is
blocked by a ``gap`` until the missing number comes, by a ``failure`` until an operator
releases it, and ``released`` until its worker has caught up.
"""

from collections.abc import Sequence

from pymongo import ASCENDING
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase

from libs.events.bus import Transaction
from libs.events.consuming.places import RELEASED, Document, Place, place_of
from libs.events.consuming.ports import Work
from libs.events.envelope import Received
from libs.events.inbox import KnownError, MongoInbox
from libs.events.outbox.transactions import Transactions
from libs.kernel import Clock, EventId

_TRIES = 6


class _NotNowError(Exception):
    """The event is not the next of its key."""

    def __init__(self, place: Place) -> None:
        super().__init__(place.name)
        self.place = place


class MongoOrderBook:
    """`libs.events.consuming.ports.OrderBook` on the service's own database."""

    def __init__(
        self,
        database: AsyncDatabase[Document],
        transactions: Transactions,
        inbox: MongoInbox,
        clock: Clock,
    ) -> None:
        self._keys = database["ordered_keys"]
        self._parked = database["ordered_parked"]
        self._transactions = transactions
        self._inbox = inbox
        self._clock = clock

    async def ensure_indexes(self) -> None:
        """Create the indexes; does nothing where they are."""
        order = [("_id.s", 1), ("k", 1), ("n", 1), ("at", 1)]
        await self._parked.create_index(order)
        await self._keys.create_index("blocked", sparse=True)

    async def apply(
        self, subscription: str, event: Received, work: Work, *, is_late: bool = False
    ) -> Place:
        """Run work if the event is the next of its key; see `OrderBook.apply`."""
        found: list[Place] = []

        async def run(transaction: Transaction) -> None:
            place = await self._place(
                subscription, event, transaction.session, is_late=is_late
            )
            found[:] = [place]
            if not place.is_due:
                raise _NotNowError(place)
            await work(transaction)

        try:
            await self._transactions.run(run, tries=_TRIES)
        except KnownError:
            await self._parked.delete_one({"_id": _row(subscription, event.id)})
            return Place.DUPLICATE
        except _NotNowError as err:
            return err.place
        return found[0]

    async def _place(
        self,
        subscription: str,
        event: Received,
        session: AsyncClientSession,
        *,
        is_late: bool,
    ) -> Place:
        """Record an event and its number in the transaction; return where it stands."""
        await self._inbox.record(subscription, [event.id], session)
        key = {"_id": _key(subscription, event.key)}
        state = await self._keys.find_one(key, session=session)
        parked = await self._parked.delete_one(
            {"_id": _row(subscription, event.id)}, session=session
        )
        place = place_of(
            state or {},
            event.sequence,
            is_late=is_late,
            is_parked=parked.deleted_count > 0,
        )
        has_number = place is not Place.LATE and event.sequence is not None
        if place.is_due and has_number:
            change = {"$set": {"n": event.sequence}}
            await self._keys.update_one(key, change, upsert=True, session=session)
        return place

    async def pass_over(self, subscription: str, event: Received) -> None:
        """Let the key go on behind an event that was given up."""
        if event.sequence is not None:
            await self._keys.update_one(
                {"_id": _key(subscription, event.key)},
                {"$max": {"n": event.sequence}},
                upsert=True,
            )

    async def park(self, subscription: str, event: Received, reason: str) -> None:
        """Keep an event and block its key; see `OrderBook.park`."""
        await self._parked.update_one(
            {"_id": _row(subscription, event.id)},
            {
                "$setOnInsert": {
                    "k": event.key,
                    "n": event.sequence,
                    "at": self._clock.now(),
                    "b": event.raw,
                }
            },
            upsert=True,
        )
        if reason:
            await self._keys.update_one(
                {"_id": _key(subscription, event.key)},
                {"$set": {"blocked": reason}},
                upsert=True,
            )

    async def first_parked(self, subscription: str, key: str) -> bytes | None:
        """Return the parked event of a key with the smallest number."""
        document = await self._parked.find_one(
            {"_id.s": subscription, "k": key},
            sort=[("n", ASCENDING), ("at", ASCENDING), ("_id.e", ASCENDING)],
        )
        return bytes(document["b"]) if document else None

    async def unblock(self, subscription: str, key: str) -> None:
        """Let a key go on: nothing of it is parked any more."""
        await self._keys.update_one(
            {"_id": _key(subscription, key)}, {"$unset": {"blocked": ""}}
        )

    async def blocked(self, subscription: str) -> dict[str, str]:
        """Return the keys with parked events and why; see `OrderBook.blocked`."""
        left = await self._parked.distinct("k", {"_id.s": subscription})
        query = {"_id.s": subscription, "blocked": {"$exists": True}}
        return dict.fromkeys(left, RELEASED) | {
            document["_id"]["k"]: document["blocked"]
            async for document in self._keys.find(query)
        }


class ParkedKeys:
    """What an operator sees of blocked keys, and can do about them."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._keys = database["ordered_keys"]
        self._parked = database["ordered_parked"]

    async def list(self, subscription: str = "") -> Sequence[Document]:
        """Return {subscription, key, reason, last, parked} of each blocked key."""
        query: Document = {"blocked": {"$exists": True}}
        if subscription:
            query["_id.s"] = subscription
        found = []
        async for document in self._keys.find(query).sort("_id", ASCENDING):
            name, key = document["_id"]["s"], document["_id"]["k"]
            count = await self._parked.count_documents({"_id.s": name, "k": key})
            found.append(
                {
                    "subscription": name,
                    "key": key,
                    "reason": document["blocked"],
                    "last": document.get("n"),
                    "parked": count,
                }
            )
        return found

    async def release(self, subscription: str, key: str) -> None:
        """Let a key go on from its first parked event; numbers before it are given up.

        Its worker handles the parked events within some seconds.
        """
        first = await self._parked.find_one(
            {"_id.s": subscription, "k": key}, sort=[("n", ASCENDING)]
        )
        change: Document = {"blocked": RELEASED}
        if first and first["n"] is not None:
            change["n"] = first["n"] - 1
        await self._keys.update_one({"_id": _key(subscription, key)}, {"$set": change})


def _key(subscription: str, key: str) -> dict[str, str]:
    return {"s": subscription, "k": key}


def _row(subscription: str, event_id: EventId) -> dict[str, str]:
    return {"s": subscription, "e": event_id}
