"""A reload costs nobody anything, and sockets are spread over chat's processes."""

import asyncio
from dataclasses import replace

import aiohttp
import pytest

from tests.integration.nginx.conftest import behind

pytestmark = pytest.mark.integration


async def until(condition, seconds=10):
    """Wait for a condition."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_what_is_under_way_survives_a_reload(edge, form, gateway, chats):
    """F18: a request waits over it, a socket speaks on, no other request fails."""
    old = edge.workers()
    statuses = []
    is_over = False

    async def ask_on(http):
        while not is_over:
            async with http.get(f"{edge.url}/api/v1/x") as response:
                statuses.append(response.status)

    async with aiohttp.ClientSession() as http:
        waiting = asyncio.create_task(_text(http, f"{edge.url}/api/v1/wait"))
        others = asyncio.create_task(ask_on(http))
        async with http.ws_connect(f"{edge.url}/socket.io/") as socket:
            await socket.send_str("before")
            assert (await socket.receive_str()).endswith(": before")
            await until(lambda: gateway.counts["waiting"] and statuses)
            edge.configure(form)
            await until(lambda: edge.workers() - old)
            so_far = len(statuses)
            await until(lambda: len(statuses) > so_far + 20)
            await socket.send_str("after")
            assert (await socket.receive_str()).endswith(": after")
            gateway.may_answer.set()
            assert "gateway" in await waiting
        is_over = True
        await others
    assert set(statuses) == {200}
    await until(lambda: not edge.workers() & old)


async def _text(http, url):
    async with http.get(url) as response:
        return await response.text()


async def test_sockets_go_to_the_process_with_the_fewest(edge, form, block, chats):
    """Over two workers and two chats: even, and even again after one side emptied."""
    one, two = chats
    addresses = (block.address("chat_sockets"), block.address("chat"))
    old = edge.workers()
    edge.configure(replace(form, sockets=addresses, workers=2))
    await until(lambda: edge.workers() and not edge.workers() & old)
    url = f"{edge.url}/socket.io/"
    async with aiohttp.ClientSession() as http:
        sockets = [await http.ws_connect(url) for _ in range(8)]
        assert (one.open_sockets, two.open_sockets) == (4, 4)
        names = []
        for socket in sockets:
            await socket.send_str("who")
            names.append((await socket.receive_str()).partition(":")[0])
        for socket, name in zip(sockets, names, strict=True):
            if name == "one":
                await socket.close()
        await until(lambda: one.open_sockets == 0)
        sockets += [await http.ws_connect(url) for _ in range(4)]
        assert (one.open_sockets, two.open_sockets) == (4, 4)
        for socket in sockets:
            await socket.close()


async def test_one_of_two_gateways_dead_costs_nobody_a_request(edge, form, block):
    """F19: what did not reach a dead instance goes to the other; POST too."""
    addresses = (block.address("gateway"), block.address("auth"))
    old = edge.workers()
    edge.configure(replace(form, gateways=addresses))
    await until(lambda: edge.workers() and not edge.workers() & old)
    async with (
        behind("alive", block.port("auth")) as alive,
        aiohttp.ClientSession() as http,
    ):
        for method in ("GET", "POST") * 5:
            url = f"{edge.url}/api/v1/x"
            async with http.request(method, url, data=b"") as response:
                assert response.status == 200
        assert alive.counts["answered"] == 10


async def test_ht_2_an_offices_sockets_do_not_use_up_its_requests(
    edge, form, gateway, chats
):
    """HT-2: of one address requests are bounded, and open sockets are counted apart."""
    old = edge.workers()
    edge.configure(replace(form, address_requests=3))
    await until(lambda: edge.workers() and not edge.workers() & old)
    async with aiohttp.ClientSession() as http:
        sockets = [await http.ws_connect(f"{edge.url}/socket.io/") for _ in range(5)]
        waiting = [
            asyncio.create_task(_text(http, f"{edge.url}/api/v1/wait"))
            for _ in range(3)
        ]
        await until(lambda: gateway.counts["waiting"] == 3)
        async with http.get(f"{edge.url}/api/v1/x") as response:
            assert response.status == 429
            assert response.headers["Retry-After"] == "1"
        gateway.may_answer.set()
        assert len(await asyncio.gather(*waiting)) == 3
        async with http.get(f"{edge.url}/api/v1/x") as response:
            assert response.status == 200
        for socket in sockets:
            await socket.close()
