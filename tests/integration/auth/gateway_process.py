"""A gateway process of a test's own, before an auth process of its own."""

import asyncio
import os
import socket
import sys
from contextlib import asynccontextmanager, closing

import aiohttp

READY_SECONDS = 30


@asynccontextmanager
async def running_gateway(stack, auth_url, folder, **settings):
    """Run ``python -m services.gateway`` until the block is left; yield its address."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = (
        dict(os.environ)
        | stack.service_environment("gateway")
        | {
            "GATEWAY_PORT": str(port),
            "GATEWAY_INSTANCE_ID": f"test-{port}",
            "GATEWAY_LOG_FILE": str(folder / "gateway.jsonl"),
            "GATEWAY_AUTH_URL": auth_url,
        }
        | settings
    )
    command = (sys.executable, "-m", "services.gateway")
    child = await asyncio.create_subprocess_exec(*command, env=environment)
    try:
        url = f"http://127.0.0.1:{port}"
        async with asyncio.timeout(READY_SECONDS):
            while not await _is_ready(url):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.1)
        yield url
    finally:
        child.terminate()
        await child.wait()


async def _is_ready(url):
    async with aiohttp.ClientSession() as http:
        try:
            async with http.get(f"{url}/health/ready") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False
