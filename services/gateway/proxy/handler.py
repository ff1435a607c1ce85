"""One request, from the edge to a service and back."""

from dataclasses import dataclass, field
from functools import partial

import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanKind, Tracer

from libs.chassis.asgi import Headers, Receive, Scope, Send
from libs.chassis.problems import expected, send_problem
from libs.events.tracing import parse_traceparent, traceparent_of
from libs.kernel import new_id
from services.gateway.domain.errors import (
    ClientGoneError,
    ScopeInsufficientError,
    TokenRefusedError,
)
from services.gateway.domain.headers import SECURITY_HEADERS, first, request_headers
from services.gateway.domain.paths import check_query, normal_path
from services.gateway.domain.routing import Route, RouteTable
from services.gateway.ports import Credentials, Identity
from services.gateway.proxy.body import RequestBody
from services.gateway.proxy.disconnect import DisconnectWatch
from services.gateway.proxy.exchange import Exchange
from services.gateway.proxy.problems import problem_for
from services.gateway.proxy.relay import relay_response
from services.gateway.proxy.trust import Edge
from services.gateway.proxy.upstream import UpstreamRequest, Upstreams
from services.gateway.service import Authenticator, Limiter

_STATUS_CLIENT_GONE = 499  # nginx's own number for it; only in logs and metrics
_AGENT_MAX_BYTES = 256

logger = structlog.get_logger()


@dataclass(frozen=True)
class Proxy:
    """Raw ASGI application: checks a request and passes it on.

    Args:
        table: Where requests go.
        edge: Whom to believe about clients.
        authenticator: Who asks.
        limiter: Whether it may ask now.
        credentials: Makes the internal tokens that services trust.
        upstreams: The way to the services.
        tracer: Opens the request's span.
    """

    table: RouteTable
    edge: Edge
    authenticator: Authenticator
    limiter: Limiter
    credentials: Credentials
    upstreams: Upstreams
    # Asked for late: what stands for a tracer before there is a provider is slower.
    tracer: Tracer = field(default_factory=lambda: trace.get_tracer("services.gateway"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request; every outcome is one response and one log line."""
        caller = self.edge.caller(scope)
        request_id = caller.request_id or new_id()
        exchange = Exchange(scope["method"], caller, request_id)
        # Each request is a task of its own, and so is its context.
        structlog.contextvars.bind_contextvars(correlation_id=request_id)
        with self.tracer.start_as_current_span(
            exchange.method, context=_context(scope), kind=SpanKind.SERVER
        ) as span:
            try:
                await self._serve(exchange, scope, receive, send)
            except ClientGoneError as error:
                # A body in broken chunks looks the same, and its sender listens.
                if not exchange.is_started:
                    await _answer(error, exchange, send)
                exchange.status = _STATUS_CLIENT_GONE
            except Exception as error:  # noqa: BLE001 - the edge: every error is answered
                await _answer(error, exchange, send)
            finally:
                exchange.describe(span)
                exchange.record()

    async def _serve(
        self, exchange: Exchange, scope: Scope, receive: Receive, send: Send
    ) -> None:
        path = normal_path(scope["raw_path"])
        check_query(scope["query_string"])
        route = exchange.route = self.table.find(exchange.method, path)
        authorization = first(scope["headers"], b"authorization")
        if route.is_anonymous and not route.reads_token:
            authorization = None
        exchange.identity = await self._admit(route, exchange, authorization)
        body = RequestBody(scope, receive, route)
        query = scope["query_string"].decode("ascii")
        request = UpstreamRequest(
            route=route,
            method=exchange.method,
            target=f"{path}?{query}" if query else path,
            headers=self._headers(route, exchange, scope),
            body=body,
        )
        relay = partial(relay_response, route=route, exchange=exchange, send=send)
        with DisconnectWatch(body):
            await self.upstreams.ask(request, relay)

    async def _admit(
        self, route: Route, exchange: Exchange, authorization: bytes | None
    ) -> Identity | None:
        """Charge the limits and return who asks, None for nobody.

        An identity that is remembered is charged with the address in one step; a
        token has to be checked only for what the address's limit let through.
        """
        known = self._recall(route, authorization)
        exchange.limits = await self.limiter.admit(
            route.limit_class,
            address=exchange.caller.network,
            user_id=known.user_id if known else None,
            cost=route.cost,
        )
        if known is not None:
            return _restricted(known, route, exchange)
        identity = await self._authenticate(route, authorization)
        if identity is not None:
            identity = _restricted(identity, route, exchange)
        if identity is not None:
            exchange.limits = await self.limiter.admit(
                route.limit_class,
                address=None,
                user_id=identity.user_id,
                cost=route.cost,
            )
        return identity

    def _recall(self, route: Route, authorization: bytes | None) -> Identity | None:
        try:
            return self.authenticator.recall(authorization)
        except TokenRefusedError:
            if not route.is_anonymous:
                raise
            return None

    async def _authenticate(
        self, route: Route, authorization: bytes | None
    ) -> Identity | None:
        if route.is_anonymous and authorization is None:
            return None
        try:
            return await self.authenticator.authenticate(authorization)
        except TokenRefusedError:
            if not route.is_anonymous:
                raise
            return None

    def _headers(self, route: Route, exchange: Exchange, scope: Scope) -> Headers:
        headers = request_headers(scope["headers"], has_cookies=route.has_cookies)
        token = self.credentials.token(route.service, exchange.identity)
        agent = first(headers, b"user-agent") or b""
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


def _restricted(
    identity: Identity, route: Route, exchange: Exchange
) -> Identity | None:
    """Return an identity whose scopes open the route.

    On an anonymous route a token that does not open it is as none.

    Raises:
        ScopeInsufficientError: They do not.
    """
    if route.admits(exchange.method, identity.scopes):
        return identity
    if route.is_anonymous:
        return None
    raise ScopeInsufficientError


async def _answer(error: Exception, exchange: Exchange, send: Send) -> None:
    """Send an error as a problem, or break the response off if it has begun."""
    if expected(error) is None:
        logger.error("request_failed", request_id=exchange.request_id, exc_info=error)
    if exchange.is_started:
        # The client must not take what it has for the whole: granian closes the
        # connection of an application that raises.
        exchange.code = "upstream_broke_off"
        raise error
    problem = problem_for(error)
    exchange.status, exchange.code = problem.status, problem.code
    exchange.sent_bytes = len(problem.body)
    exchange.is_started = True
    extra = (*SECURITY_HEADERS, (b"x-request-id", exchange.request_id.encode()))
    await send_problem(send, problem, extra)


def _context(scope: Scope) -> Context | None:
    """Return the trace that the client's request belongs to, None for a new one."""
    traceparent = first(scope["headers"], b"traceparent")
    if traceparent is None:
        return None
    remote = parse_traceparent(traceparent.decode("latin-1"))
    if remote is None:
        return None
    return trace.set_span_in_context(NonRecordingSpan(remote))
