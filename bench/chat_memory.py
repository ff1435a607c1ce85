"""Memory of idle sockets, and how fast they all come back at once.

Run it with ``make bench B=chat-memory``. A chat process of its own on the stack's
servers: authenticated sockets that do nothing, then the same with a conversation each,
by the growth of the process's resident memory. Then the storm: sockets that were cut in
one moment come back at once, without jitter, and each shakes hands, shows its token,
subscribes and asks what changed over HTTP as the gateway would.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import uvloop

from bench.chat.client import RawClient, open_client, open_clients
from bench.chat.many import FROM_ONE_ADDRESS, allow_sockets
from bench.chat.people import Badge, Registry
from bench.chat.processes import ChatProcess, chat_processes, open_chat_place
from bench.events.report import machine
from deploy.embedded.layout import DEFAULT_ROOT, open_stack

SOCKETS = 5_000
STORM = 2_000
MEMBERS = 20
WARM = 200
STORM_SECONDS = 120
_HTTP_AT_ONCE = 64


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="bench.chat_memory", description=__doc__)
    parser.add_argument("--stack", type=Path, default=DEFAULT_ROOT)
    parser.add_argument("--sockets", type=int, default=SOCKETS)
    parser.add_argument("--storm", type=int, default=STORM)
    return parser.parse_args()


async def settled(process: ChatProcess) -> float:
    """Wait until the process rests; return its resident memory in kB."""
    quiet = 0
    while quiet < 3:
        before = process.cpu_seconds
        await asyncio.sleep(0.5)
        quiet = quiet + 1 if process.cpu_seconds - before < 0.05 else 0
    return process.rss_kb


async def close_all(process: ChatProcess, clients: Sequence[RawClient]) -> None:
    """Close sockets and wait until the process has forgotten them."""
    for client in clients:
        client.close()
    while process.metrics().get("chat_sockets", 0) > 0:  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.1)


async def measure_memory(
    process: ChatProcess, registry: Registry, count: int
) -> tuple[dict[str, float], list[RawClient]]:
    """Open idle sockets, then let each subscribe; return kB a socket, and them."""
    tokens = [registry.access_token(Badge()) for _ in range(WARM)]
    await close_all(process, await open_clients(process.socket_url, tokens))
    empty = await settled(process)
    badges = await registry.admit(count)
    tokens = [registry.access_token(badge) for badge in badges]
    started = time.monotonic()
    clients = await open_clients(process.socket_url, tokens)
    opened_seconds = time.monotonic() - started
    idle = await settled(process)
    groups = await open_groups(process, registry, badges)
    await subscribe_all(clients, groups)
    subscribed = await settled(process)
    return {
        "kb_per_socket": (idle - empty) / count,
        "kb_per_subscribed_socket": (subscribed - empty) / count,
        "rss_mb_without_sockets": empty / 1000,
        "rss_mb_with_sockets": subscribed / 1000,
        "opened_per_s": count / opened_seconds,
    }, clients


async def open_groups(
    process: ChatProcess, registry: Registry, badges: Sequence[Badge]
) -> list[str]:
    """Put people into groups; return the group of each, in their order."""
    found: list[str] = []
    for start in range(0, len(badges), MEMBERS):
        members = list(badges[start : start + MEMBERS])
        group = await registry.open_group(process, members)
        found += [group] * len(members)
    return found


async def subscribe_all(clients: Sequence[RawClient], groups: Sequence[str]) -> None:
    """Let each socket subscribe to its conversation."""
    for client, group in zip(clients, groups, strict=True):
        await subscribe(client, group)


async def subscribe(client: RawClient, group: str) -> int:
    """Subscribe; return the revision from which on all is delivered."""
    payload = {"conversation_ids": [group]}
    answer = await client.ask("conversation.subscribe", payload)
    assert isinstance(answer, dict), answer
    assert not answer.get("errors", True), answer
    return int(answer["conversations"][0]["revision"])


class Storm:
    """Everybody comes back at once.

    Args:
        process: Where.
        registry: Signs tokens.
        badges: Who.
        groups: The conversation of each.
    """

    def __init__(
        self,
        process: ChatProcess,
        registry: Registry,
        badges: Sequence[Badge],
        groups: Sequence[str],
    ) -> None:
        self._process = process
        self._registry = registry
        self._people = list(zip(badges, groups, strict=True))
        self.back_seconds: list[float] = []
        self.retries = 0

    async def run(self) -> list[RawClient]:
        """Return the sockets once everybody is back; measures each one's time."""
        tokens = [self._registry.access_token(badge) for badge, _ in self._people]
        turns = asyncio.Semaphore(_HTTP_AT_ONCE)
        started = time.monotonic()
        async with aiohttp.ClientSession() as http, asyncio.timeout(STORM_SECONDS):

            async def come_back(number: int) -> RawClient:
                badge, group = self._people[number]
                client = await self._connect(tokens[number])
                revision = await subscribe(client, group)
                async with turns:
                    await self._changes(http, badge, group, since=revision - 1)
                self.back_seconds.append(time.monotonic() - started)
                return client

            everybody = range(len(self._people))
            return list(await asyncio.gather(*map(come_back, everybody)))

    async def _connect(self, token: str) -> RawClient:
        """Connect as a client library does: what fails is tried again."""
        while True:
            try:
                return await open_client(self._process.socket_url, token)
            except (OSError, TimeoutError):
                self.retries += 1
                await asyncio.sleep(0.5)

    async def _changes(
        self, http: aiohttp.ClientSession, badge: Badge, group: str, *, since: int
    ) -> None:
        url = f"{self._process.url}/api/v1/conversations/{group}/changes"
        headers = {"Authorization": f"Bearer {self._registry.internal_token(badge)}"}
        query = {"since": str(max(0, since))}
        async with http.get(url, params=query, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            await answer.read()


async def measure_storm(
    process: ChatProcess, registry: Registry, count: int
) -> dict[str, float]:
    """Open sockets, cut all of them in one moment, let them come back."""
    badges = await registry.admit(count)
    groups = await open_groups(process, registry, badges)
    first = Storm(process, registry, badges, groups)
    clients = await open_clients(
        process.socket_url, [registry.access_token(badge) for badge in badges]
    )
    for client in clients:
        client.abort()
    cpu = process.cpu_seconds
    back = await first.run()
    times = sorted(first.back_seconds)
    figures = {
        "storm_all_back_s": times[-1],
        "storm_p50_s": times[len(times) // 2],
        "storm_cpu_ms_per_socket": (process.cpu_seconds - cpu) / count * 1000,
        "storm_retries": first.retries,
    }
    await close_all(process, back)
    return figures


async def main(options: argparse.Namespace) -> None:
    """Make a place, measure, report."""
    allow_sockets(max(options.sockets, 2 * options.storm))
    stack = open_stack(options.stack)
    async with open_chat_place(stack) as place:
        registry = Registry(stack, place)
        with chat_processes(stack, place, 1, settings=FROM_ONE_ADDRESS) as (process,):
            figures, clients = await measure_memory(process, registry, options.sockets)
            print_figures(f"{options.sockets} sockets", figures)
            await close_all(process, clients)
            storm = await measure_storm(process, registry, options.storm)
            print_figures(f"{options.storm} come back at once", storm)
    figures |= storm
    print(
        json.dumps(
            {n: round(v, 2) for n, v in figures.items()} | {"machine": machine()}
        )
    )


def print_figures(title: str, figures: dict[str, float]) -> None:
    """Print one part of the table."""
    print(title)
    for name, value in figures.items():
        print(f"  {name:<28}{value:>12,.2f}", flush=True)


if __name__ == "__main__":
    uvloop.run(main(arguments()))
