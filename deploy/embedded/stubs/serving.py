"""What the stand-ins share: an HTTP listener on loopback, and the end by signal."""

import asyncio
import signal
import ssl

from aiohttp import web

from deploy.embedded.layout import HOST


async def start_site(
    application: web.Application, port: int, context: ssl.SSLContext | None = None
) -> web.AppRunner:
    """Serve an application on loopback, with ``GET /health`` added.

    Returns:
        The runner, for its `cleanup`.
    """
    application.router.add_get("/health", _healthy)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, HOST, port, ssl_context=context).start()
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
