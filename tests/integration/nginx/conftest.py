"""nginx before servers that the test plays itself."""

import asyncio
import contextlib
from collections import Counter
from dataclasses import dataclass, field

import pytest
from aiohttp import WSMsgType, web

from deploy.embedded.layout import HOST, open_stack
from deploy.embedded.servers.nginx import edge_form
from tests.support.edge import running_edge
from tests.support.stack import claimed_base


@pytest.fixture(scope="session")
def block(tmp_path_factory):
    """Ports and a folder for an edge that stands alone."""
    with claimed_base() as base:
        yield open_stack(tmp_path_factory.mktemp("edge") / "stack", base)


@pytest.fixture
def form(block):
    """What the embedded edge is."""
    return edge_form(block)


@pytest.fixture
def edge(block, form):
    """The embedded edge, with nothing behind it unless a test puts it there."""
    with running_edge(block, form) as running:
        yield running


@dataclass
class Behind:
    """A server behind the edge: answers at once, when it is told, or over a socket."""

    name: str
    counts: Counter[str] = field(default_factory=Counter)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    open_sockets: int = 0

    def application(self) -> web.Application:
        """Return the application."""
        app = web.Application()
        app.router.add_get("/api/v1/wait", self._wait)
        app.router.add_get("/socket.io/", self._socket)
        app.router.add_route("*", "/{rest:.*}", self._answer)
        return app

    async def _wait(self, _: web.Request) -> web.Response:
        self.counts["waiting"] += 1
        await self.may_answer.wait()
        return web.json_response({"name": self.name})

    async def _answer(self, request: web.Request) -> web.Response:
        self.counts["answered"] += 1
        text = "x" * int(request.query.get("bytes", "10"))
        headers = {"Strict-Transport-Security": "max-age=1", "X-Frame-Options": "no"}
        return web.json_response({"name": self.name, "text": text}, headers=headers)

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.open_sockets += 1
        try:
            async for message in socket:
                if message.type == WSMsgType.TEXT:
                    await socket.send_str(f"{self.name}: {message.data}")
        finally:
            self.open_sockets -= 1
        return socket


@contextlib.asynccontextmanager
async def behind(name, port):
    """Yield a server of that name."""
    server = Behind(name)
    runner = web.AppRunner(server.application(), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, HOST, port).start()
    try:
        yield server
    finally:
        await runner.cleanup()


@pytest.fixture
async def gateway(block):
    """Something that answers where the gateway should be."""
    async with behind("gateway", block.port("gateway")) as server:
        yield server


@pytest.fixture
async def chats(block):
    """Two chat processes' listeners."""
    async with (
        behind("one", block.port("chat_sockets")) as one,
        behind("two", block.port("chat")) as two,
    ):
        yield one, two
