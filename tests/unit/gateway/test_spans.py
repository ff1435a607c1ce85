"""What a trace shows of a request: method, route and service, never a path."""

from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from libs.kernel import new_id
from services.gateway.domain.concurrency import Places, Shares
from services.gateway.domain.errors import UpstreamUnavailableError
from services.gateway.domain.networks import NetworkList
from services.gateway.domain.routing import parse_routes
from services.gateway.proxy import Edge, Proxy
from services.gateway.proxy.upstream import UpstreamRequest

ROUTES = b"""{"routes": [
  {"prefix": "/api/v1/users", "methods": ["GET"], "service": "auth",
   "is_anonymous": true}]}"""


class Stubs:
    """Lets everybody pass to a service that is away."""

    def recall(self, _: object) -> None:
        """Know nobody."""

    async def admit(self, *_: object, **__: object) -> None:
        """Charge nothing."""

    def token(self, *_: object) -> str:
        """Return a token."""
        return "token"

    async def ask(self, request: UpstreamRequest, _: object) -> None:
        """Reach nobody."""
        raise UpstreamUnavailableError(request.route.service)


async def ask(method: str, path: str) -> ReadableSpan:
    """Send one request through a proxy of stubs; return the span that it ended."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("services.gateway")
    places = Places(10, Shares(10), Shares(10))
    stubs: Any = Stubs()
    table = parse_routes(
        ROUTES, services=frozenset({"auth"}), limit_classes=frozenset({"default"})
    )
    edge = Edge(NetworkList(["127.0.0.0/8"]))
    scope = {
        "type": "http",
        "method": method,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [],
        "client": ("127.0.0.1", 1),
    }

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_: object) -> None:
        pass

    proxy = Proxy(
        table, edge, stubs, stubs, stubs, stubs, places, NetworkList([]), tracer
    )
    await proxy(scope, receive, send)
    (span,) = exporter.get_finished_spans()
    return span


async def test_a_proxied_request_is_named_by_its_route() -> None:
    """Route, status and upstream are on the span; the id in the path is not."""
    user_id = new_id()
    span = await ask("GET", f"/api/v1/users/{user_id}")
    assert span.name == "GET /api/v1/users"
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "http.route": "/api/v1/users",
        "http.response.status_code": 503,
        "peer.service": "auth",
    }
    assert span.status.status_code is StatusCode.ERROR


@pytest.mark.parametrize(
    ("method", "name", "known"), [("POST", "POST", "POST"), ("BREW", "HTTP", "_OTHER")]
)
async def test_a_request_without_a_route_has_none_in_its_span(
    method: str, name: str, known: str
) -> None:
    """A stranger's path or method names no span."""
    span = await ask(method, "/api/v1/nothing")
    assert span.name == name
    assert dict(span.attributes or {}) == {
        "http.request.method": known,
        "http.response.status_code": 404,
    }
    assert span.status.status_code is StatusCode.UNSET
