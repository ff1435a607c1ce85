"""The edge of a request: ids, trace, metrics, one log line, and the last resort.

Plain ASGI, so that FastAPI services and the gateway have the same one.
"""

import asyncio
import re
import time
from dataclasses import dataclass, field

import structlog
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanKind, StatusCode

from libs.chassis.asgi import ASGIApp, Message, Receive, Scope, Send
from libs.chassis.metrics import KNOWN_METHODS, observe_error, observe_request
from libs.chassis.problems import internal_problem, problem_for, send_problem
from libs.events.tracing import causation_id, correlation_id, parse_traceparent
from libs.kernel import UnavailableError, new_id

STATE_KEY = "parley.request"
BUDGET_HEADER = "X-Request-Budget"
"""Milliseconds in which the caller takes an answer's first byte; then it has gone."""
_ID_PATTERN = re.compile(rb"[A-Za-z0-9._-]{8,64}")
_BUDGET_NAME = BUDGET_HEADER.lower().encode()
_BUDGET_PATTERN = re.compile(rb"[0-9]{1,7}")
_UNMATCHED = "unmatched"
_SERVER_ERROR = 500
_log = structlog.get_logger()
_tracer = trace.get_tracer("libs.chassis")


@dataclass
class RequestState:
    """What is known of the request under way; in the scope under `STATE_KEY`.

    Attributes:
        request_id: From ``X-Request-Id`` of a trusted caller, else new.
        correlation_id: From ``X-Correlation-Id``, else the request id.
        traceparent: W3C trace context of the caller, None without.
        budget_seconds: In which an answer has to begin, None for no end.
        started: `time.perf_counter` at its start.
        status: What was answered; 0 until then.
        error_code: Code of the problem that was answered.
    """

    request_id: str
    correlation_id: str
    traceparent: str | None = None
    budget_seconds: float | None = None
    started: float = field(default_factory=time.perf_counter)
    status: int = 0
    error_code: str | None = None


def request_state(scope: Scope) -> RequestState:
    """Return the state of the request under way."""
    state: RequestState = scope[STATE_KEY]
    return state


class RequestEdge:
    """ASGI middleware around everything a service answers.

    It gives each request its ids (answered as ``X-Request-Id``), binds them for logs,
    opens the server span, counts, writes the one ``request_handled`` line, and turns
    whatever is raised into a problem: an `AppError` into its own, anything else into
    500 ``internal``, logged with its class and place.

    Args:
        app: What it wraps.
        trusts_caller: Whether ids and trace context of the request are taken over:
            True behind the gateway, False in the gateway itself.
    """

    def __init__(self, app: ASGIApp, *, trusts_caller: bool = True) -> None:
        self._app = app
        self._trusts_caller = trusts_caller

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = self._read_state(scope)
        scope[STATE_KEY] = state
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(
            request_id=state.request_id, correlation_id=state.correlation_id
        )
        correlation_id.set(state.correlation_id)
        causation_id.set(state.request_id)
        with _tracer.start_as_current_span(
            scope["method"], context=_parent(state), kind=SpanKind.SERVER
        ) as span:
            try:
                await self._serve(scope, receive, send)
            finally:
                _finish(scope, state, span)

    def _read_state(self, scope: Scope) -> RequestState:
        request: str | None = None
        correlation: str | None = None
        traceparent: str | None = None
        budget: float | None = None
        if self._trusts_caller:
            for name, value in scope["headers"]:
                if name == b"x-request-id" and _ID_PATTERN.fullmatch(value):
                    request = value.decode("ascii")
                elif name == b"x-correlation-id" and _ID_PATTERN.fullmatch(value):
                    correlation = value.decode("ascii")
                elif name == b"traceparent":
                    traceparent = value.decode("latin-1")
                elif name == _BUDGET_NAME and _BUDGET_PATTERN.fullmatch(value):
                    budget = int(value) / 1_000
        request = request or new_id()
        return RequestState(request, correlation or request, traceparent, budget)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = request_state(scope)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                state.status = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", state.request_id.encode()),
                ]
            await send(message)

        try:
            await self._within_budget(scope, receive, sending)
        except Exception as error:  # noqa: BLE001 - the edge: nothing passes it
            await _answer(error, state, sending)

    async def _within_budget(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, but not for a caller who has stopped waiting (HT-3)."""
        state = request_state(scope)
        deadline = asyncio.timeout(state.budget_seconds)

        async def sending(message: Message) -> None:
            deadline.reschedule(None)  # it has begun: the rest may take its time
            await send(message)

        try:
            async with deadline:
                await self._app(scope, receive, sending)
        except TimeoutError as error:
            if not deadline.expired():
                raise
            raise UnavailableError(
                "budget_exhausted", "There was no time left to answer."
            ) from error


async def _answer(error: Exception, state: RequestState, send: Send) -> None:
    problem = problem_for(error)
    if problem is None:
        _log.error("request_failed", exc_info=error)
    if state.status:
        state.error_code = "cut"  # too late for an answer: the body is cut short
        return
    problem = problem or internal_problem()
    state.error_code = problem.code
    await send_problem(send, problem)


def _parent(state: RequestState) -> otel_context.Context:
    parent = parse_traceparent(state.traceparent)
    if parent is None:
        return otel_context.Context()
    return trace.set_span_in_context(NonRecordingSpan(parent), otel_context.Context())


def _finish(scope: Scope, state: RequestState, span: trace.Span) -> None:
    seconds = time.perf_counter() - state.started
    route = route_template(scope)
    status = state.status or _SERVER_ERROR
    observe_request(scope["method"], route, status, seconds)
    if state.error_code:
        observe_error(state.error_code)
    name_server_span(
        span,
        method=scope["method"],
        route=None if route == _UNMATCHED else route,
        status=status,
    )
    log = _log.warning if status >= _SERVER_ERROR else _log.info
    extra = {"code": state.error_code} if state.error_code else {}
    log(
        "request_handled",
        method=scope["method"],
        route=route,
        status=status,
        duration_ms=round(seconds * 1000, 2),
        **extra,
    )


def name_server_span(
    span: trace.Span, *, method: str, route: str | None, status: int
) -> None:
    """Name the span of a request that was served, and say how it ended.

    Args:
        span: Of the whole request.
        method: As received; an unknown one becomes ``_OTHER``, as it would name spans
            at a stranger's will.
        route: Template, never a path; None if none matched.
        status: Of the answer.

    Source: OpenTelemetry semantic conventions, HTTP server spans.
    """
    if not span.is_recording():
        return
    known = method if method in KNOWN_METHODS else "_OTHER"
    name = known if known != "_OTHER" else "HTTP"
    span.update_name(f"{name} {route}" if route else name)
    span.set_attribute("http.request.method", known)
    if route:
        span.set_attribute("http.route", route)
    span.set_attribute("http.response.status_code", status)
    if status >= _SERVER_ERROR:
        span.set_status(StatusCode.ERROR)


def route_template(scope: Scope) -> str:
    """Return the template of the route that matched: ``/api/v1/users/{user_id}``.

    An app without FastAPI puts it into the scope itself as ``route_template``.
    """
    given = scope.get("route_template")
    if given is not None:
        return str(given)
    return str(getattr(scope.get("route"), "path", _UNMATCHED))
