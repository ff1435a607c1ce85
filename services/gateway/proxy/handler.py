"""One request, from the edge to a service and back."""

import time
from dataclasses import dataclass, field
from functools import partial

import structlog
from opentelemetry import trace
from opentelemetry.trace import SpanKind, Tracer

from libs.chassis.asgi import Receive, Scope, Send
from libs.chassis.problems import expected, send_problem
from libs.kernel import new_id
from services.gateway.domain.concurrency import Place, Places
from services.gateway.domain.errors import (
    AnswerUnreadError,
    ClientGoneError,
    NetworkRefusedError,
    OverloadedError,
    ScopeInsufficientError,
    TokenRefusedError,
)
from services.gateway.domain.headers import SECURITY_HEADERS, first
from services.gateway.domain.networks import NetworkList
from services.gateway.domain.paths import check_query, normal_path
from services.gateway.domain.route import Route
from services.gateway.domain.routing import RouteTable
from services.gateway.ports import Credentials, Identity
from services.gateway.proxy.body import RequestBody
from services.gateway.proxy.disconnect import DisconnectWatch
from services.gateway.proxy.exchange import Exchange
from services.gateway.proxy.leftover import read_leftover
from services.gateway.proxy.measures import shed_total
from services.gateway.proxy.outgoing import client_trace, service_headers
from services.gateway.proxy.problems import problem_for
from services.gateway.proxy.relay import relay_response
from services.gateway.proxy.trust import Edge
from services.gateway.proxy.upstream import UpstreamRequest, Upstreams
from services.gateway.service import Authenticator, Limiter

_STATUS_CLIENT_GONE = 499  # nginx's own number for it; only in logs and metrics

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
        places: For what is under way.
        denied: Networks that nobody is served from.
        tracer: Opens the request's span.
    """

    table: RouteTable
    edge: Edge
    authenticator: Authenticator
    limiter: Limiter
    credentials: Credentials
    upstreams: Upstreams
    places: Places
    denied: NetworkList
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
            exchange.method, context=client_trace(scope), kind=SpanKind.SERVER
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
                await read_leftover(scope, receive)
            finally:
                exchange.describe(span)
                exchange.record()

    async def _serve(
        self, exchange: Exchange, scope: Scope, receive: Receive, send: Send
    ) -> None:
        address = exchange.caller.address
        if address in self.denied:
            raise NetworkRefusedError
        path = normal_path(scope["raw_path"])
        check_query(scope["query_string"])
        route = exchange.route = self.table.find(exchange.method, path)
        if not route.serves(address):
            raise NetworkRefusedError
        place = self._take_place(route, exchange.caller.network)
        try:
            await self._let_in(exchange, route, scope)
            if exchange.identity is not None:
                place.give_to(exchange.identity.user_id)
            body = await self._pass_on(exchange, route, scope, receive, send)
        finally:
            place.free()
        if not body.is_received:
            await read_leftover(scope, receive)  # the service answered early

    def _take_place(self, route: Route, address: str) -> Place:
        try:
            return self.places.take(route.service, route.priority, address)
        except OverloadedError:
            shed_total.labels(route.priority).inc()
            raise

    async def _pass_on(
        self,
        exchange: Exchange,
        route: Route,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> RequestBody:
        """Pass a request on that was let in; return its body, read or not."""
        body = RequestBody(scope, receive, route)
        query = scope["query_string"].decode("ascii")
        target = route.target(normal_path(scope["raw_path"]))
        request = UpstreamRequest(
            route=route,
            method=exchange.method,
            target=f"{target}?{query}" if query else target,
            headers=service_headers(
                scope,
                exchange,
                self.credentials.token(route.service, exchange.identity),
            ),
            body=body,
        )
        relay = partial(relay_response, route=route, exchange=exchange, send=send)
        with DisconnectWatch(body):
            await self.upstreams.ask(request, relay)
        return body

    async def _let_in(self, exchange: Exchange, route: Route, scope: Scope) -> None:
        """Find out who asks, and whether it may ask now."""
        authorization = first(scope["headers"], b"authorization")
        if route.is_anonymous and not route.reads_token:
            authorization = None
        started = time.perf_counter()
        exchange.identity = await self._admit(route, exchange, authorization)
        exchange.asked_at = time.perf_counter()
        exchange.admission_seconds = exchange.asked_at - started

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
            identity=known,
            cost=route.cost,
        )
        if known is not None:
            return _restricted(known, route, exchange)
        started = time.perf_counter()
        identity = await self._authenticate(route, authorization)
        exchange.auth_seconds = time.perf_counter() - started
        if identity is not None:
            identity = _restricted(identity, route, exchange)
        if identity is not None:
            exchange.limits = await self.limiter.admit(
                route.limit_class,
                address=None,
                identity=identity,
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
        if isinstance(error, AnswerUnreadError):
            exchange.code = error.code
        raise error
    problem = problem_for(error)
    exchange.status, exchange.code = problem.status, problem.code
    exchange.sent_bytes = len(problem.body)
    exchange.is_started = True
    await send_problem(send, problem, (*SECURITY_HEADERS, *exchange.own_headers()))
