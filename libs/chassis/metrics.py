"""Prometheus metrics that every service has, and the endpoint that shows them."""

import asyncio
import platform
import time
from functools import lru_cache

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

from libs.chassis.asgi import Receive, Scope, Send, send_response
from libs.chassis.version import VERSION

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_LAG_SECONDS = 0.5

requests_total = Counter(
    "http_requests_total",
    "Requests handled, by method, route template and status.",
    ["method", "route", "status"],
)
request_seconds = Histogram(
    "http_request_seconds",
    "Time to handle a request, by method and route template.",
    ["method", "route"],
    buckets=_BUCKETS,
)
expected_errors_total = Counter(
    "http_errors_total", "Errors answered, by their code.", ["code"]
)
build_info = Gauge(
    "parley_build_info", "Always 1; what runs here.", ["service", "version", "python"]
)
loop_lag_seconds = Gauge(
    "event_loop_lag_seconds", "How late the event loop woke up at the last look."
)
loop_tasks = Gauge("event_loop_tasks", "Tasks of the event loop that have not ended.")


def observe_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count one request. `route` is a template, never a path: ids are no labels."""
    known = method if method in KNOWN_METHODS else "OTHER"
    _counter(known, route, status).inc()
    _histogram(known, route).observe(seconds)


def observe_error(code: str) -> None:
    """Count one error answer by its stable code."""
    expected_errors_total.labels(code).inc()


def set_build_info(service: str) -> None:
    """Publish which version of which service this process is."""
    build_info.labels(service, VERSION, platform.python_version()).set(1)


async def watch_loop_lag() -> None:
    """Measure for ever how late the event loop wakes up."""
    while True:
        before = time.perf_counter()
        await asyncio.sleep(_LAG_SECONDS)
        loop_lag_seconds.set(max(0.0, time.perf_counter() - before - _LAG_SECONDS))


async def metrics_endpoint(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer ``GET /metrics``; plain ASGI, never proxied by the gateway."""
    loop_tasks.set(len(asyncio.all_tasks()))
    await send_response(send, 200, generate_latest(), CONTENT_TYPE_LATEST.encode())


@lru_cache(maxsize=2048)
def _counter(method: str, route: str, status: int) -> Counter:
    return requests_total.labels(method, route, str(status))


@lru_cache(maxsize=512)
def _histogram(method: str, route: str) -> Histogram:
    return request_seconds.labels(method, route)
