"""What a service is told with a request, and nothing that a client made up."""

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan

from libs.chassis.asgi import Headers, Scope
from libs.events.tracing import parse_traceparent, traceparent_of
from services.gateway.domain.headers import first, request_headers
from services.gateway.proxy.exchange import Exchange

_AGENT_MAX_BYTES = 256


def service_headers(scope: Scope, exchange: Exchange, token: str) -> Headers:
    """Return the client's headers that pass, and what the gateway says itself.

    Args:
        scope: Of the request.
        exchange: Its route is known.
        token: The internal one.
    """
    route = exchange.route
    has_cookies = route is not None and route.has_cookies
    headers = request_headers(scope["headers"], has_cookies=has_cookies)
    if route is not None and route.request_headers is not None:
        headers = route.request_headers.apply(headers)
    agent = first(scope["headers"], b"user-agent") or b""
    headers += [
        (b"authorization", b"Bearer " + token.encode("ascii")),
        (b"x-request-id", exchange.request_id.encode("ascii")),
        (b"x-client-address", exchange.caller.address.encode("latin-1")),
        (b"x-client-agent", agent[:_AGENT_MAX_BYTES]),
    ]
    traceparent = traceparent_of(trace.get_current_span().get_span_context())
    if traceparent is not None:
        headers.append((b"traceparent", traceparent.encode("ascii")))
    return headers


def client_trace(scope: Scope) -> Context | None:
    """Return the trace that a client's request belongs to, None for a new one."""
    traceparent = first(scope["headers"], b"traceparent")
    if traceparent is None:
        return None
    remote = parse_traceparent(traceparent.decode("latin-1"))
    if remote is None:
        return None
    return trace.set_span_in_context(NonRecordingSpan(remote))
