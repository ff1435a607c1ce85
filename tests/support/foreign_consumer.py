"""A consumer that knows nothing of Parley: plain aio-pika and the standard library.

It binds a queue of its own to each exchange it is told of and prints every CloudEvent
it sees as one line of JSON. Ends when its standard input closes.

Usage: python foreign_consumer.py AMQP_URL EXCHANGE [EXCHANGE ...]
"""

import asyncio
import json
import sys

import aio_pika


async def watch(amqp_url: str, exchanges: list[str]) -> None:
    """Print every event of the exchanges until standard input closes."""
    connection = await aio_pika.connect(amqp_url, timeout=10)
    async with connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        for exchange in exchanges:
            await queue.bind(exchange, "#")

        async def show(frame: aio_pika.abc.AbstractIncomingMessage) -> None:
            async with frame.process():
                for event in json.loads(frame.body):
                    line = {
                        "exchange": frame.exchange,
                        "routing_key": frame.routing_key,
                        "content_type": frame.content_type,
                        "event": event,
                    }
                    print(json.dumps(line), flush=True)

        await queue.consume(show)
        print("watching", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(watch(sys.argv[1], sys.argv[2:]))
