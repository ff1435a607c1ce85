"""The floor: aio-pika by hand, with the standard library's JSON.

Persistent, confirmed, returned messages raise, quorum queue, prefetch 64, ack after
the handler. ``batched`` puts 64 payloads into one message, also by hand.
"""

import json
import time

import aio_pika
from aio_pika.abc import AbstractExchange, AbstractIncomingMessage

from bench.events.meter import (
    OUTSTANDING,
    Order,
    Tally,
    measure_delay,
    measure_rate,
    measure_waiting,
    run_cell,
)
from bench.events.sample import PEER_EXCHANGE, PREFETCH, PUBLISHERS, fields_of

_FRAME = 64
_OUTSTANDING_FRAMES = 256
_KEY = "sample.sent"


class Peer:
    """Publisher and consumer of one cell."""

    def __init__(self, exchange: AbstractExchange, tally: Tally, size: int) -> None:
        self._exchange = exchange
        self._tally = tally
        self._size = size
        self._sent: dict[int, float] = {}

    async def publish(self) -> None:
        """Publish one message and wait for its confirm."""
        numbers = [await self._tally.take() for _ in range(self._size)]
        body = json.dumps([fields_of(number) for number in numbers]).encode()
        self._sent[numbers[0]] = time.perf_counter()
        message = aio_pika.Message(
            body,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            content_type="application/json",
        )
        await self._exchange.publish(message, _KEY, mandatory=True)
        self._tally.published += self._size

    async def handle(self, message: AbstractIncomingMessage) -> None:
        """Take one message."""
        for payload in json.loads(message.body):
            number = payload["revision"]
            started = self._sent.pop(number, None)
            if started is not None:
                self._tally.delays.append(time.perf_counter() - started)
            self._tally.note(number)
        await message.ack()


async def cell(order: Order) -> dict[str, float]:
    """Measure one scenario."""
    size = _FRAME if order.scenario == "batched" else 1
    queue_name = f"peers.aio-pika-{order.scenario}"
    tally = Tally(
        _OUTSTANDING_FRAMES * size if size > 1 else order.count or OUTSTANDING
    )
    async with (
        await aio_pika.connect_robust(order.amqp_url) as out,
        await aio_pika.connect_robust(order.amqp_url) as into,
    ):
        publishing = await out.channel(publisher_confirms=True, on_return_raises=True)
        consuming = await into.channel()
        await consuming.set_qos(prefetch_count=PREFETCH)
        exchange = await publishing.declare_exchange(
            PEER_EXCHANGE, "topic", durable=True
        )
        queue = await consuming.declare_queue(
            queue_name, durable=True, arguments={"x-queue-type": "quorum"}
        )
        await queue.bind(exchange.name, _KEY)
        peer = Peer(exchange, tally, size)
        await queue.consume(peer.handle)
        if order.scenario == "waiting":
            await measure_waiting(order, peer.publish)
        if order.scenario == "delay":
            found = await measure_delay(order, tally, peer.publish)
        else:
            found = await measure_rate(order, tally, peer.publish, PUBLISHERS)
        await queue.delete(if_unused=False, if_empty=False)
        return found


if __name__ == "__main__":
    run_cell(cell)
