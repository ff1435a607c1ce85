"""A service that behaves as badly as it is told to.

Started as ``python -m tests.support.upstream``. The last segment of the path names the
behaviour, after whatever prefix. It also plays auth for a gateway: key set and list of
revoked sessions.
"""

import argparse
import asyncio
import hashlib
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web

_PART = b"x" * 65_536
_FOREVER_SECONDS = 600


class Upstream:
    """One server and what it has seen."""

    def __init__(self, jwks_file: Path) -> None:
        self._jwks_file = jwks_file
        self.counts: Counter[str] = Counter()
        self.revoked: list[dict[str, str]] = []

    def application(self) -> web.Application:
        """Return the application."""
        app = web.Application(client_max_size=2**30)
        app.router.add_get("/_counts", self._counts)
        app.router.add_post("/_revoke", self._revoke)
        app.router.add_get("/internal/sessions", self._sessions)
        app.router.add_get("/api/v1/auth/jwks.json", self._jwks)
        app.router.add_route("*", "/{rest:.*}", self._behave)
        return app

    async def _counts(self, _: web.Request) -> web.Response:
        return web.json_response(self.counts)

    async def _revoke(self, request: web.Request) -> web.Response:
        self.revoked.append({**await request.json(), "revoked_at": _now()})
        return web.json_response({})

    async def _sessions(self, _: web.Request) -> web.Response:
        return web.json_response({"revoked": self.revoked, "as_of": _now()})

    async def _jwks(self, _: web.Request) -> web.Response:
        self.counts["jwks"] += 1
        return web.Response(
            text=self._jwks_file.read_text(), content_type="application/json"
        )

    async def _behave(self, request: web.Request) -> web.StreamResponse:
        name = request.path.rpartition("/")[2]
        self.counts["requests"] += 1
        self.counts[name] += 1
        try:
            behaviour = getattr(self, f"on_{name}", self.on_echo)
            answer: web.StreamResponse = await behaviour(request)
        except (asyncio.CancelledError, ConnectionResetError):
            self.counts[f"{name}_cancelled"] += 1
            raise
        return answer

    async def on_echo(self, request: web.Request) -> web.StreamResponse:
        """Tell what arrived."""
        digest, size = hashlib.sha256(), 0
        async for part in request.content.iter_any():
            digest.update(part)
            size += len(part)
        return web.json_response(
            {
                "method": request.method,
                "target": request.raw_path,
                "headers": [[k.lower(), v] for k, v in request.headers.items()],
                "body_bytes": size,
                "body_sha256": digest.hexdigest(),
            }
        )

    async def on_stream(self, request: web.Request) -> web.StreamResponse:
        """Send ``parts`` times 64 KiB, sized or chunked."""
        parts = int(request.query["parts"])
        response = web.StreamResponse()
        if "sized" in request.query:
            response.content_length = parts * len(_PART)
        await response.prepare(request)
        for _ in range(parts):
            await response.write(_PART)
            self.counts["stream_parts"] += 1
        await response.write_eof()
        return response

    async def on_hang(self, _: web.Request) -> web.StreamResponse:
        """Never answer."""
        await asyncio.sleep(_FOREVER_SECONDS)
        return web.Response()

    async def on_slow(self, request: web.Request) -> web.StreamResponse:
        """Answer late, but in time."""
        await asyncio.sleep(float(request.query["seconds"]))
        return web.json_response({})

    async def on_trickle(self, request: web.Request) -> web.StreamResponse:
        """Begin an answer and never end it."""
        response = web.StreamResponse()
        response.content_length = 100_000
        await response.prepare(request)
        await response.write(b"begun")
        await asyncio.sleep(_FOREVER_SECONDS)
        return response

    async def on_drip(self, request: web.Request) -> web.StreamResponse:
        """Begin an answer and go on with it for ever, byte by byte."""
        response = web.StreamResponse()
        response.content_length = 100_000
        await response.prepare(request)
        while True:
            await response.write(b"x")
            await asyncio.sleep(0.1)

    async def on_cut(self, request: web.Request) -> web.StreamResponse:
        """Break off in the middle of a body."""
        response = web.StreamResponse()
        response.content_length = int(request.query.get("length", "1000"))
        await response.prepare(request)
        await response.write(b"begun")
        _abort(request)
        return response

    async def on_close(self, request: web.Request) -> web.StreamResponse:
        """Close without a word."""
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    async def on_half(self, request: web.Request) -> web.StreamResponse:
        """Begin a header, then close this direction alone."""
        transport = request.transport
        if transport is not None:
            transport.write(b"HTTP/1.1 200 OK\r\nContent-Le")
            transport.write_eof()
            await asyncio.sleep(_FOREVER_SECONDS)
        return web.Response()

    async def on_garbage(self, request: web.Request) -> web.StreamResponse:
        """Answer something that is no HTTP."""
        if request.transport is not None:
            request.transport.write(b"220 smtp.example ESMTP\r\n\r\n")
        _abort(request)
        return web.Response()

    async def on_hugeheader(self, _: web.Request) -> web.StreamResponse:
        """Answer with a header of 40 kB."""
        return web.Response(headers={"X-Huge": "x" * 40_000})

    async def on_html(self, request: web.Request) -> web.StreamResponse:
        """Answer an error page that tells too much."""
        status = int(request.query.get("status", "500"))
        text = "<h1>Traceback: mongodb://chat:secret@10.0.0.7</h1>"
        return web.Response(status=status, text=text, content_type="text/html")

    async def on_problem(self, request: web.Request) -> web.StreamResponse:
        """Answer a problem of our own shape."""
        status = int(request.query["status"])
        body = {
            "type": "about:blank",
            "status": status,
            "code": request.query.get("code", "made_up"),
        }
        return web.Response(
            status=status,
            text=json.dumps(body),
            headers={"Retry-After": "7"},
            content_type="application/problem+json",
        )

    async def on_fakeproblem(self, _: web.Request) -> web.StreamResponse:
        """Answer what only says that it is a problem."""
        return web.Response(
            status=500, text="oops secret", content_type="application/problem+json"
        )

    async def on_early(self, _: web.Request) -> web.StreamResponse:
        """Refuse a body without reading it."""
        return web.json_response({"code": "no"}, status=413)

    async def on_chatty(self, _: web.Request) -> web.StreamResponse:
        """Answer headers that are nobody's business."""
        response = web.json_response({})
        response.headers.update(
            {
                "Server": "secret/1.2",
                "X-Powered-By": "secret",
                "Access-Control-Allow-Origin": "*",
                "Set-Cookie": "a=b",
                "X-Request-Id": "theirs",
                "Content-Security-Policy": "default-src *",
                "Connection": "X-Hop",
                "X-Hop": "1",
                "ETag": '"7"',
            }
        )
        return response


def _abort(request: web.Request) -> None:
    transport = request.transport
    if transport is not None:
        asyncio.get_running_loop().call_later(0.02, transport.abort)


def _now() -> str:
    return datetime.now(UTC).isoformat()


async def _serve(port: int, jwks_file: Path) -> None:
    runner = web.AppRunner(
        Upstream(jwks_file).application(), handler_cancellation=True, access_log=None
    )
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--jwks", type=Path, required=True)
    options = parser.parse_args()
    asyncio.run(_serve(options.port, options.jwks))
