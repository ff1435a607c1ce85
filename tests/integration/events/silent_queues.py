"""Queues that a broker does not bring back after a crash.

An unclean end of its node can leave a quorum queue without a leader. It then answers
nobody, neither who publishes nor who wants to consume, while all others work; the node
has to be started again. Source: rabbitmq-server, issues 4512 and 10070.
"""

import asyncio

import aio_pika
from aio_pika.exceptions import AMQPError

ANSWER_SECONDS = 10.0


async def silent_queues(rig):
    """Return the names of a virtual host's queues that confirm nothing."""
    rows = await rig._management._call("GET", f"queues/{rig.host}")
    names = [row["name"] for row in rows]
    async with await aio_pika.connect(rig.admin.amqp_url) as connection:
        channel = await connection.channel()
        answers = await asyncio.gather(
            *(_is_answering(channel, name) for name in names)
        )
    return [
        name for name, answers_us in zip(names, answers, strict=True) if not answers_us
    ]


async def start_again(stack):
    """Stop the broker in good order and start it."""
    await asyncio.to_thread(stack.stop, "rabbitmq")
    await asyncio.to_thread(stack.start, "rabbitmq")


async def _is_answering(channel, name):
    gone = aio_pika.Message(b"", expiration=0)  # nobody is to consume it
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await channel.default_exchange.publish(gone, name)
    except (TimeoutError, AMQPError):
        return False
    return True
