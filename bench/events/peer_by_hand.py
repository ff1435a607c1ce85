"""Outbox and inbox by hand: pymongo and aio-pika, no library between.

The same statements as Parley's one by one: document and outbox row in a transaction,
publish with confirm, delete the row; inbox row and effect in a transaction, ack. No
relay, no sweeper, no retry, no dead letters: what is left is the drivers' cost.
"""

import json
import time
from datetime import UTC, datetime
from typing import Any

import aio_pika
from aio_pika.abc import AbstractExchange, AbstractIncomingMessage
from pydantic import SecretStr
from pymongo import WriteConcern
from pymongo.asynchronous.database import AsyncDatabase

from bench.events.meter import OUTSTANDING, Order, Tally, measure_rate, run_cell
from bench.events.sample import PEER_EXCHANGE, PREFETCH, fields_of
from bench.events.servers import DATABASE
from libs.chassis.mongo import open_mongo
from libs.chassis.settings import MongoSettings
from libs.kernel import new_id

_KEY = "sample.by_hand"
_QUEUE = "peers.by-hand"
_WRITERS = 32
_COLLECTIONS = ("hand_documents", "hand_outbox", "hand_inbox", "hand_effects")
_MAJORITY = WriteConcern("majority")


class Peer:
    """Publisher and consumer of one cell."""

    def __init__(
        self,
        database: AsyncDatabase[dict[str, Any]],
        exchange: AbstractExchange,
        tally: Tally,
    ) -> None:
        self._client = database.client
        self._documents, self._outbox, self._inbox, self._effects = (
            database[name] for name in _COLLECTIONS
        )
        self._exchange = exchange
        self._tally = tally

    async def send(self) -> None:
        """Commit, publish, delete."""
        fields = fields_of(await self._tally.take())
        body = json.dumps(fields).encode()
        event_id = new_id()
        document = {**fields, "_id": fields["message_id"], "at": datetime.now(UTC)}
        async with self._client.start_session() as session:
            await session.start_transaction(write_concern=_MAJORITY)
            await self._documents.insert_one(document, session=session)
            row = {"_id": event_id, "b": body}
            await self._outbox.insert_one(row, session=session)
            await session.commit_transaction()
        message = aio_pika.Message(
            body,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            message_id=event_id,
        )
        await self._exchange.publish(message, _KEY, mandatory=True)
        self._tally.published += 1
        await self._outbox.delete_one({"_id": event_id})

    async def handle(self, message: AbstractIncomingMessage) -> None:
        """Take one message."""
        fields = json.loads(message.body)
        effect = {"_id": fields["message_id"], "c": fields["conversation_id"]}
        async with self._client.start_session() as session:
            await session.start_transaction(write_concern=_MAJORITY)
            row = {"_id": message.message_id, "at": time.time()}
            await self._inbox.insert_one(row, session=session)
            await self._effects.insert_one(effect, session=session)
            await session.commit_transaction()
        await message.ack()
        self._tally.note(fields["revision"])


async def cell(order: Order) -> dict[str, float]:
    """Measure one scenario."""
    mongo = MongoSettings(mongo_url=SecretStr(order.mongo_url), mongo_database=DATABASE)
    async with (
        open_mongo(mongo) as database,
        await aio_pika.connect_robust(order.amqp_url) as out,
        await aio_pika.connect_robust(order.amqp_url) as into,
    ):
        for name in _COLLECTIONS:
            await database.drop_collection(name)
            await database.create_collection(name)
        publishing = await out.channel(publisher_confirms=True, on_return_raises=True)
        consuming = await into.channel()
        await consuming.set_qos(prefetch_count=PREFETCH)
        exchange = await publishing.declare_exchange(
            PEER_EXCHANGE, "topic", durable=True
        )
        queue = await consuming.declare_queue(
            _QUEUE, durable=True, arguments={"x-queue-type": "quorum"}
        )
        await queue.bind(exchange.name, _KEY)
        tally = Tally(OUTSTANDING)
        peer = Peer(database, exchange, tally)
        await queue.consume(peer.handle)
        found = await measure_rate(order, tally, peer.send, _WRITERS)
        await queue.delete(if_unused=False, if_empty=False)
        return found


if __name__ == "__main__":
    run_cell(cell)
