"""A service that dies at a chosen point: python dying.py POINT MONGO AMQP DATABASE."""

import asyncio
import os
import signal
import sys

from pymongo import AsyncMongoClient

from libs.events import BusSettings, Worker
from libs.events.catalog import ConversationRead
from libs.events.outbox import OutboxStore
from libs.events.rabbitmq import open_bus
from libs.events.rabbitmq.deliveries import RabbitDelivery
from libs.events.rabbitmq.publisher import Publisher

COUNT = 30
HITS_BEFORE_DEATH = 10


def die(*_args, **_named):
    """Be killed, without a chance to clean up."""
    os.kill(os.getpid(), signal.SIGKILL)


class Countdown:
    """Dies at the given point when it was passed often enough."""

    def __init__(self, point):
        self.point = point
        self.hits = 0

    def pass_by(self, point, hits=HITS_BEFORE_DEATH):
        """Die here if this is the point."""
        if point == self.point:
            self.hits += 1
            if self.hits >= hits:
                die()

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


async def produce(bus, countdown):
    """Commit events one by one."""
    for number in range(COUNT):
        async with bus.transaction() as transaction:
            transaction.publish(
                ConversationRead(
                    conversation_id=f"c{number % 3}", user_id="u", read_seq=number
                )
            )
            countdown.pass_by("before_commit")
        countdown.pass_by("after_commit")
        await asyncio.sleep(0.005)
    await asyncio.sleep(10)


async def consume(bus, worker, database, countdown):
    """Record each event as an effect, in the inbox's transaction."""

    @worker.subscribe(ConversationRead, name="reads")
    async def on_read(event, context):
        effect = {"number": event.read_seq}
        await database.effects.insert_one(effect, session=context.session)
        countdown.pass_by("in_handler")

    async with bus.run_worker(worker, None):
        await asyncio.sleep(30)


async def main(point, mongo_url, amqp_url, name):
    """Run until killed."""
    countdown = Countdown(point)
    countdown.around(
        Publisher, "publish_frame", "after_publish_before_confirm", is_after=True
    )
    countdown.around(
        OutboxStore, "delete", "after_confirm_before_delete", is_after=False
    )
    countdown.around(RabbitDelivery, "ack", "before_ack", is_after=False)
    service = name.partition("-")[2]
    settings = BusSettings(service, "dying", amqp_url)
    async with AsyncMongoClient(mongo_url) as client:
        database = client[name]
        async with open_bus(settings, database) as bus:
            if service == "producer":
                await produce(bus, countdown)
            else:
                await consume(bus, Worker(service), database, countdown)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
