"""Bytes and CPU of a message, through sockets; memory of a socket."""

import asyncio
from typing import Any

from pymongo import AsyncMongoClient
from redis.asyncio import Redis

from bench.capacity.disk import Disk, grown
from bench.chat.closed_loop import (
    CONVERSATIONS,
    MEMBERS,
    Audience,
    Load,
    Sample,
    gather_audience,
    rates_of,
    settle,
)
from bench.chat.many import FROM_ONE_ADDRESS, allow_sockets
from bench.chat.people import Registry
from bench.chat.processes import (
    SINK,
    ChatProcess,
    chat_processes,
    open_chat_place,
    server_pids,
)
from bench.chat_memory import close_all, measure_memory
from bench.events.servers import Place
from deploy.embedded.layout import Stack
from deploy.embedded.servers.valkey import redis_url

IN_FLIGHT = 100
CPU = ("chat", "mongod", "rabbitmq", "valkey")
Figures = dict[str, float]


async def measure_messages(stack: Stack, count: int) -> dict[str, Figures]:
    """Send messages to ten members each; return what a member and a message take."""
    async with open_chat_place(stack) as place:
        registry = Registry(stack, place)
        with chat_processes(stack, place, 1) as processes:
            async with AsyncMongoClient[dict[str, Any]](place.mongo_url) as client:
                disk = Disk(client, place.database)
                empty = await disk.taken()
                audience = await gather_audience(registry, processes)
                before, written = await disk.taken(), await disk.written()
                spent, sent = await send(audience, processes[0], stack, count)
                after = await disk.taken()
                spent["mongod_bytes_written"] = (await disk.written() - written) / sent
            spent["queued_bytes"] = await queued_bytes(place) / sent
            audience.close()
    return {
        "member of a group of ten, chat: bytes on disk": grown(
            empty, before, CONVERSATIONS * MEMBERS
        ),
        "message, chat: bytes on disk": grown(before, after, sent),
        "message: CPU and bytes": spent,
    }


async def send(
    audience: Audience, process: ChatProcess, stack: Stack, count: int
) -> tuple[Figures, int]:
    """Send until so many are acknowledged; return CPU a message, and how many were."""
    load, servers = Load(audience), server_pids(stack)
    before = await Sample.first(load, [process], servers)
    load.begin(IN_FLIGHT)
    while load.acked < count:
        assert not process_is_gone(process), "chat has ended; its log says why"
        await asyncio.sleep(0.05)
    await settle(load)
    after = await Sample.last(load, [process], servers)
    rates = rates_of(before, after)
    found = {f"{name}_cpu_us": rates[f"{name}_cpu_us"] for name in CPU}
    return found | {"acked_per_s": rates["acked_per_s"]}, load.acked


def process_is_gone(process: ChatProcess) -> bool:
    """Tell whether nothing is left of a process's memory."""
    try:
        return process.rss_kb == 0
    except OSError:
        return True


async def queued_bytes(place: Place) -> int:
    """Return the bytes of every message as another service's queue holds them."""
    async with asyncio.timeout(30):
        while True:  # the management's figures are five seconds old
            queue = place.management("GET", f"queues/bench-chat/{SINK}")
            if queue.get("message_bytes"):
                await asyncio.sleep(6)
                queue = place.management("GET", f"queues/bench-chat/{SINK}")
                return int(queue["message_bytes"])
            await asyncio.sleep(0.5)


async def measure_sockets(stack: Stack, count: int) -> Figures:
    """Open so many sockets; return memory of one in chat and in Redis."""
    allow_sockets(count)
    async with open_chat_place(stack) as place:
        registry = Registry(stack, place)
        with chat_processes(stack, place, 1, settings=FROM_ONE_ADDRESS) as (process,):
            empty = await redis_bytes(stack)
            figures, clients = await measure_memory(process, registry, count)
            figures["redis_bytes"] = (await redis_bytes(stack) - empty) / count
            figures |= await idle_cpu(process, count)
            await close_all(process, clients)
    return figures


async def redis_bytes(stack: Stack) -> int:
    """Return the memory that Redis uses for what it holds."""
    async with Redis.from_url(redis_url(stack, "admin")) as client:
        return int((await client.info("memory"))["used_memory"])


async def idle_cpu(process: ChatProcess, count: int, seconds: float = 10) -> Figures:
    """Return the cores that so many sockets take while nobody says anything."""
    before = process.cpu_seconds
    await asyncio.sleep(seconds)
    cores = (process.cpu_seconds - before) / seconds
    return {"cores_per_10000_quiet_sockets": cores / count * 10_000}
