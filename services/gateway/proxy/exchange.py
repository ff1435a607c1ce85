"""What is known of one request while it is served; it ends as one log line."""

import time
from dataclasses import dataclass, field

import structlog
from opentelemetry.trace import Span

from libs.chassis.asgi import Headers
from libs.chassis.metrics import observe_error, observe_request
from libs.chassis.requests import name_server_span
from libs.kernel.rates import Decision
from services.gateway.domain.route import Route
from services.gateway.ports import Identity
from services.gateway.proxy.trust import Caller

logger = structlog.get_logger()


@dataclass(slots=True)
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
        auth_seconds: Spent on a token that was not remembered.
        admission_seconds: Spent on limits and token together.
        asked_at: When the service was asked, 0 before.
        upstream_seconds: Until its answer began.
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
    auth_seconds: float = 0.0
    admission_seconds: float = 0.0
    asked_at: float = 0.0
    upstream_seconds: float = 0.0
    _started: float = field(default_factory=time.perf_counter)

    def own_headers(self) -> Headers:
        """Return what the gateway says of the exchange to its client.

        ``Server-Timing`` (W3C) tells where the time went, in the words of the gateway
        alone: no name or number of what is behind it.
        """
        headers: Headers = [
            (b"x-request-id", self.request_id.encode("ascii")),
            (
                b"server-timing",
                b"total;dur=%.1f, limits;dur=%.1f, auth;dur=%.1f, upstream;dur=%.1f"
                % (
                    (time.perf_counter() - self._started) * 1_000,
                    (self.admission_seconds - self.auth_seconds) * 1_000,
                    self.auth_seconds * 1_000,
                    self.upstream_seconds * 1_000,
                ),
            ),
        ]
        if self.route is not None and self.route.deprecation is not None:
            headers += self.route.deprecation.headers()
        return headers

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
