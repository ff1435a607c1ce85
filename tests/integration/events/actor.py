"""A producer or a worker in a process of its own, to be killed or stopped.

python actor.py ROLE POINT PAUSE MONGO AMQP PRODUCER-DATABASE CONSUMER-DATABASE

POINT is where it dies with SIGKILL when it passes by often enough; ``none``: nowhere.
A producer commits until SIGTERM, and waits PAUSE seconds between two commits; a worker
consumes until SIGTERM, then drains.
"""

import asyncio
import os
import signal
import sys
from datetime import timedelta

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from libs.events import BusSettings, Worker
from libs.events.catalog import ConversationRead, MessageDeleted
from libs.events.outbox import OutboxStore, Transactions
from libs.events.rabbitmq import open_bus
from libs.events.rabbitmq.channel import LeanChannel
from libs.events.rabbitmq.deliveries import RabbitDelivery
from libs.events.rabbitmq.publisher import Publisher
from libs.kernel import UnavailableError

HITS_BEFORE_DEATH = 10
KEYS = 4


class Fuse:
    """Kills the process at a point."""

    def __init__(self, point):
        self.point = point
        self.hits = 0

    def pass_by(self, point):
        """Die here if this is the point, and it was passed often enough."""
        if point == self.point:
            self.hits += 1
            if self.hits >= HITS_BEFORE_DEATH:
                os.kill(os.getpid(), signal.SIGKILL)

    def around(self, owner, name, point, *, is_after):
        """Let a method pass a point before or after it runs."""
        original = getattr(owner, name)

        async def method(*args, **named):
            if not is_after:
                self.pass_by(point)
            result = await original(*args, **named)
            if is_after:
                self.pass_by(point)
            return result

        setattr(owner, name, method)

    def inside_publish(self):
        """Pass a point when a frame is on the wire and its confirm is not here."""
        original = LeanChannel.publish

        async def publish(*args, **named):
            confirm = original(*args, **named)
            await asyncio.sleep(0.001)
            if not confirm.done():
                self.pass_by("after_publish_before_confirm")
            return await confirm

        LeanChannel.publish = publish

    def lay(self, role):
        """Put the point into the library."""
        if role == "producer":
            self.around(
                Publisher,
                "publish_frame",
                "after_commit_before_publish",
                is_after=False,
            )
            self.around(
                OutboxStore, "delete", "after_confirm_before_delete", is_after=False
            )
            self.inside_publish()
        else:
            self.around(
                Transactions, "_commit", "in_handler_after_commit", is_after=True
            )
            self.around(RabbitDelivery, "ack", "before_ack", is_after=False)


def declare(worker, database=None, fuse=None):
    """Subscribe what a worker does: an effect for each event, its place for a key."""

    @worker.subscribe(ConversationRead, name="reads")
    async def on_read(event, context):
        effect = {"number": event.read_seq}
        await database.effects.insert_one(effect, session=context.session)
        fuse.pass_by("in_handler_before_commit")

    @worker.subscribe(MessageDeleted, name="ordered", is_ordered=True)
    async def on_deleted(event, context):
        place = await database.places.find_one_and_update(
            {"_id": event.conversation_id},
            {"$inc": {"n": 1}},
            upsert=True,
            return_document=True,
            session=context.session,
        )
        effect = {
            "key": event.conversation_id,
            "number": event.revision,
            "place": place["n"],
        }
        await database.ordered.insert_one(effect, session=context.session)

    return worker


async def note(rows, number):
    """Write a number down, through an election too."""
    while True:
        try:
            await rows.update_one({"_id": number}, {"$set": {}}, upsert=True)
        except PyMongoError:
            await asyncio.sleep(0.1)
        else:
            return


async def produce(bus, database, fuse, stop, pause_seconds):
    """Commit events of several keys until told to stop; note what was tried."""
    last = await database.attempted.find_one(sort=[("_id", -1)])
    number = last["_id"] if last else 0
    while not stop.is_set():
        number += 1
        key = f"c{number % KEYS}"
        await note(database.attempted, number)
        try:
            async with asyncio.timeout(20), bus.transaction() as transaction:
                counter = await database.counters.find_one_and_update(
                    {"_id": key},
                    {"$inc": {"n": 1}},
                    upsert=True,
                    return_document=True,
                    session=transaction.session,
                )
                await database.committed.insert_one(
                    {"_id": number, "key": key, "revision": counter["n"]},
                    session=transaction.session,
                )
                transaction.publish(
                    ConversationRead(conversation_id=key, user_id="u", read_seq=number)
                )
                transaction.publish(
                    MessageDeleted(
                        conversation_id=key,
                        message_id="m",
                        seq=1,
                        revision=counter["n"],
                        deleted_by="u",
                    )
                )
                fuse.pass_by("before_commit")
            await note(database.acknowledged, number)
        except (UnavailableError, TimeoutError):
            await asyncio.sleep(0.1)
        await asyncio.sleep(pause_seconds)


async def main(role, point, pause, mongo_url, amqp_url, *names):
    """Run until stopped or killed."""
    fuse, stop = Fuse(point), asyncio.Event()
    fuse.lay(role)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    settings = BusSettings(
        "producer" if role == "producer" else "consumer",
        f"actor-{os.getpid()}",
        amqp_url,
        sweep_grace=timedelta(seconds=1),
        lease_ttl=timedelta(seconds=1.5),
        relay_max_rows=500,
    )
    async with AsyncMongoClient(mongo_url, tz_aware=True) as client:
        own = client[names[0] if role == "producer" else names[1]]
        async with open_bus(settings, own) as bus:
            if role == "producer":
                await produce(bus, own, fuse, stop, float(pause))
            else:
                worker = declare(Worker("consumer"), own, fuse)
                async with bus.run_worker(worker, None):
                    await stop.wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
