"""The far end of a long stream: reads all that comes, sends as much as is asked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

PART = b"x" * 65_536


@asynccontextmanager
async def far_end(port: int, size: int) -> AsyncIterator[None]:
    """Serve while the block runs: POST answers what it has read, GET sends `size`.

    It answers after the last byte, never before: what is measured is a whole upload.
    """

    async def take(request: web.Request) -> web.Response:
        got = 0
        async for part in request.content.iter_any():
            got += len(part)
        return web.Response(text=str(got))

    async def give(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(size)})
        await response.prepare(request)
        for _ in range(size // len(PART)):
            await response.write(PART)
        return response

    app = web.Application()
    app.router.add_post("/{rest:.*}", take)
    app.router.add_get("/{rest:.*}", give)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield
    finally:
        await runner.cleanup()
