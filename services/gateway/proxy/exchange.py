"""What is known of one request while it is served; it ends as one log line."""

import time
from dataclasses import dataclass, field

import structlog
from opentelemetry.trace import Span

from libs.chassis.metrics import observe_error, observe_request
from libs.chassis.requests import name_server_span
from libs.kernel.rates import Decision
from services.gateway.domain.routing import Route
from services.gateway.ports import Identity
from services.gateway.proxy.trust import Caller

logger = structlog.get_logger()


@dataclass
class Exchange:
    """One request and its answer.

    Attributes:
        method: As received.
        caller: Where it comes from.
        request_id: The edge's, or made here; services and logs carry it.
        route: None until one is found.
        identity: None where nobody is signed in.
        limits: What is left of the limit that the caller will reach first.
        status: Of the answer; 499 if the client went first, 0 while there is none.
        code: Of the gateway's own error, or "".
        sent_bytes: Of the answer's body.
        is_started: Whether the answer's headers have left.
    """

    method: str
    caller: Caller
    request_id: str
    route: Route | None = None
    identity: Identity | None = None
    limits: Decision | None = None
    status: int = 0
    code: str = ""
    sent_bytes: int = 0
    is_started: bool = False
    _started: float = field(default_factory=time.perf_counter)

    def describe(self, span: Span) -> None:
        """Name the exchange's span by method and route, never by a path."""
        route = self.route
        name_server_span(
            span,
            method=self.method,
            route=route.prefix if route else None,
            status=self.status,
        )
        if route is not None and span.is_recording():
            span.set_attribute("peer.service", route.service)

    def record(self) -> None:
        """Count the exchange and write its one log line."""
        seconds = time.perf_counter() - self._started
        prefix = self.route.prefix if self.route else "unmatched"
        observe_request(self.method, prefix, self.status, seconds)
        if self.code:
            observe_error(self.code)
        logger.info(
            "request_proxied",
            method=self.method,
            route=prefix,
            upstream=self.route.service if self.route else None,
            status=self.status,
            code=self.code or None,
            duration_ms=round(seconds * 1_000, 2),
            sent_bytes=self.sent_bytes,
            request_id=self.request_id,
            user_id=self.identity.user_id if self.identity else None,
        )
