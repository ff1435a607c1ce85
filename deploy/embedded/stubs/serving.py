"""What the stand-ins share: an HTTP listener, and the end by signal."""

import asyncio
import signal
import ssl
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from aiohttp import web

from deploy.embedded.layout import HOST, Stack, open_stack


def run_stand_in(serve: Callable[[Stack, str], Coroutine[Any, Any, None]]) -> None:
    """Serve as the command line says: a stack's folder, its base, an address.

    Without an address it is loopback; a container's network has another one.
    """
    root, base, *host = sys.argv[1:]
    stack = open_stack(Path(root), int(base))
    asyncio.run(serve(stack, host[0] if host else HOST))


async def start_site(
    application: web.Application,
    host: str,
    port: int,
    context: ssl.SSLContext | None = None,
) -> web.AppRunner:
    """Serve an application, with ``GET /health`` added.

    Returns:
        The runner, for its `cleanup`.
    """
    application.router.add_get("/health", _healthy)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, host, port, ssl_context=context).start()
    return runner


async def run_until_signal() -> None:
    """Return at SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()


async def _healthy(_: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})
