"""FastStream as its users write it, with what makes it comparable turned on.

Persistent, confirmed, returned messages raise, quorum queue, prefetch 64; a pydantic
model as payload. Runs in an environment of its own.
"""

import time
from collections.abc import Awaitable, Callable

from faststream.rabbit import (
    Channel,
    ExchangeType,
    QueueType,
    RabbitBroker,
    RabbitExchange,
    RabbitQueue,
)
from pydantic import BaseModel

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

_KEY = "sample.sent"
_EXCHANGE = RabbitExchange(PEER_EXCHANGE, type=ExchangeType.TOPIC, durable=True)


class SampleSent(BaseModel):
    """The payload; the same fields as everywhere."""

    conversation_id: str
    message_id: str
    client_message_id: str
    seq: int
    revision: int
    sender_id: str
    content: str
    mentions: tuple[str, ...]


def make_broker(order: Order) -> RabbitBroker:
    """Return a broker that confirms, limits prefetch, and logs only if asked to."""
    quiet = {} if order.has_logs else {"logger": None}
    return RabbitBroker(
        order.amqp_url,
        default_channel=Channel(prefetch_count=PREFETCH, on_return_raises=True),
        **quiet,
    )


async def measure(
    order: Order, tally: Tally, publish: Callable[[], Awaitable[None]]
) -> dict[str, float]:
    """Measure what the order names."""
    if order.scenario == "waiting":
        await measure_waiting(order, publish)
    if order.scenario == "delay":
        return await measure_delay(order, tally, publish)
    return await measure_rate(order, tally, publish, PUBLISHERS)


async def cell(order: Order) -> dict[str, float]:
    """Measure one scenario."""
    tally = Tally(order.count or OUTSTANDING)
    sent: dict[int, float] = {}
    broker = make_broker(order)
    queue = RabbitQueue(
        f"peers.faststream-{order.scenario}",
        queue_type=QueueType.QUORUM,
        durable=True,
        routing_key=_KEY,
    )

    @broker.subscriber(queue, _EXCHANGE)
    async def handle(message: SampleSent) -> None:
        tally.delays.append(time.perf_counter() - sent.pop(message.revision))
        tally.note(message.revision)

    async def publish() -> None:
        number = await tally.take()
        payload = SampleSent(**fields_of(number))
        sent[number] = time.perf_counter()
        await broker.publish(
            payload, exchange=_EXCHANGE, routing_key=_KEY, persist=True, mandatory=True
        )
        tally.published += 1

    async with broker:
        await broker.start()
        found = await measure(order, tally, publish)
        declared = await broker.declare_queue(queue)
        await declared.delete(if_unused=False, if_empty=False)
    return found


if __name__ == "__main__":
    run_cell(cell)
