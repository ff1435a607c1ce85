"""Drives an ASGI app without a socket, as granian would, and makes internal tokens."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from libs.chassis.asgi import ASGIApp, Message
from libs.chassis.lifespan import LifespanRunner
from libs.chassis.security import InternalTokenSigner, Principal
from libs.crypto import SigningKey
from libs.crypto.jwk import jwks
from libs.kernel import Clock


@dataclass
class AsgiResponse:
    """A whole answer; names of headers are lower-case."""

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    def json(self) -> Any:  # any JSON value
        """Return the parsed body."""
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        """Return the first header of a name."""
        return dict(reversed(self.headers)).get(name)


class AsgiClient:
    """Sends requests to an app in this loop; entering runs its lifespan.

    Example::

        async with AsgiClient(create_app(settings)) as client:
            response = await client.request("GET", "/health")
    """

    def __init__(self, app: ASGIApp, headers: Mapping[str, str] | None = None) -> None:
        self._app = app
        self._headers = dict(headers or {})
        self._lifespan = LifespanRunner(app)

    async def __aenter__(self) -> Self:
        """Start the app."""
        await self._lifespan.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the app."""
        await self._lifespan.stop()

    async def request(
        self,
        method: str,
        target: str,
        *,
        json_body: object = None,
        body: bytes | list[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsgiResponse:
        """Send one request and return its whole answer.

        Args:
            method: HTTP method.
            target: Path, with its query if there is one.
            json_body: Sent as JSON with its content type.
            body: Sent as it is; a list is sent in chunks, without a length.
            headers: Over the client's own.
        """
        sent = {**self._headers, **(headers or {})}
        if json_body is not None:
            body = json.dumps(json_body).encode()
            sent.setdefault("content-type", "application/json")
        chunks = body if isinstance(body, list) else [body or b""]
        if isinstance(body, bytes):
            sent.setdefault("content-length", str(len(body)))
        response = AsgiResponse()
        exchange = _Exchange(chunks, response)
        # A task of its own, as granian gives one: context variables stay in it.
        scope = self._scope(method, target, sent)
        await asyncio.create_task(self._call(scope, exchange))
        return response

    async def _call(self, scope: dict[str, Any], exchange: "_Exchange") -> None:
        await self._app(scope, exchange.receive, exchange.send)

    def _scope(
        self, method: str, target: str, headers: Mapping[str, str]
    ) -> dict[str, Any]:
        path, _, query = target.partition("?")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [
                (k.lower().encode(), v.encode("latin-1")) for k, v in headers.items()
            ],
            "client": ("127.0.0.1", "40000"),
            "server": ("127.0.0.1", "80"),
            "state": dict(self._lifespan.state),
        }


class _Exchange:
    """The two callables of one request."""

    def __init__(self, chunks: list[bytes], response: AsgiResponse) -> None:
        self._chunks = list(chunks)
        self._response = response

    async def receive(self) -> Message:
        """Return the next chunk of the body, then a disconnect."""
        if not self._chunks:
            return {"type": "http.disconnect"}
        chunk = self._chunks.pop(0)
        more = bool(self._chunks)
        return {"type": "http.request", "body": chunk, "more_body": more}

    async def send(self, message: Message) -> None:
        """Collect the answer."""
        if message["type"] == "http.response.start":
            self._response.status = message["status"]
            self._response.headers = [
                (k.decode("latin-1"), v.decode("latin-1"))
                for k, v in message["headers"]
            ]
        else:
            self._response.body += message.get("body", b"")


class InternalCallers:
    """Keys of callers in a folder, as the supervisor makes them.

    Attributes:
        jwks_file: What every service gets as ``internal_jwks_file``.
    """

    def __init__(self, folder: Path, *callers: str, clock: Clock | None = None) -> None:
        keys = [
            SigningKey.generate(f"{caller}:1") for caller in callers or ("gateway",)
        ]
        self._folder = folder
        self._clock = clock
        self.jwks_file = folder / "internal-jwks.json"
        self.jwks_file.write_text(json.dumps(jwks(keys)))
        for key in keys:
            path = self.key_file(key.kid.partition(":")[0])
            path.write_text(json.dumps(key.to_jwk()))
            path.chmod(0o600)

    def key_file(self, caller: str) -> Path:
        """Return the caller's private key file."""
        return self._folder / f"{caller}.json"

    def signer(self, caller: str = "gateway") -> InternalTokenSigner:
        """Return the caller's signer."""
        return InternalTokenSigner(self.key_file(caller), caller, self._clock)

    def headers(
        self, audience: str, principal: Principal, caller: str = "gateway"
    ) -> dict[str, str]:
        """Return the header of a request on a principal's behalf."""
        token = self.signer(caller).token(audience, principal)
        return {"authorization": f"Bearer {token}"}
