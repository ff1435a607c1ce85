"""Health: is the process alive, may it get requests, how are its dependencies.

``/health/live`` asks nothing outside of the process: restarting does not cure a fallen
database. ``/health/ready`` fails while a critical dependency is away or the process is
draining. ``/health`` tells everything.
"""

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import orjson
import structlog

from libs.chassis.asgi import ASGIApp, Receive, Scope, Send, send_response
from libs.chassis.metrics import metrics_endpoint
from libs.chassis.problems import send_problem, status_problem
from libs.chassis.version import VERSION
from libs.kernel import AppError, UnavailableError

Check = Callable[[], Awaitable[Mapping[str, object] | None]]
Status = Literal["ok", "degraded", "failed"]

_CACHE_SECONDS = 1.0
_LEAST_DISK_BYTES = 200 * 1024 * 1024
_JSON = b"application/json"
_log = structlog.get_logger()


@dataclass(frozen=True)
class _Dependency:
    name: str
    check: Check
    deadline_seconds: float
    is_critical: bool


@dataclass(frozen=True)
class CheckResult:
    """What one check found.

    Attributes:
        is_ok: It returned in time.
        is_critical: Without it the service cannot do its work.
        duration_ms: How long it took.
        error: Code or class of the failure, never its message.
        details: What the check returned.
    """

    is_ok: bool
    is_critical: bool
    duration_ms: float
    error: str | None = None
    details: Mapping[str, object] = field(default_factory=dict)


class Health:
    """The checks of one service; `libs.chassis.app` serves them.

    Attributes:
        is_draining: Set at SIGTERM: no longer ready, still alive.
    """

    def __init__(self) -> None:
        self.is_draining = False
        self._dependencies: list[_Dependency] = []
        self._results: dict[str, CheckResult] = {}
        self._checked_at = float("-inf")
        self._lock = asyncio.Lock()

    def add(
        self,
        name: str,
        check: Check,
        *,
        deadline_seconds: float = 2,
        is_critical: bool = True,
    ) -> None:
        """Add a dependency.

        Args:
            name: For the report, for example ``mongodb``.
            check: Returns when all is well, optionally with details for the report;
                raises otherwise.
            deadline_seconds: A check that takes longer has failed.
            is_critical: Whether readiness depends on it; else its failure only
                degrades.
        """
        self._dependencies.append(
            _Dependency(name, check, deadline_seconds, is_critical)
        )

    def add_disk(self, path: Path, least_bytes: int = _LEAST_DISK_BYTES) -> None:
        """Add the free space of a folder; too little degrades."""

        async def check() -> Mapping[str, object]:
            free = (await asyncio.to_thread(shutil.disk_usage, path)).free
            if free < least_bytes:
                raise AppError("disk_full", "Too little space left.", free_bytes=free)
            return {"free_bytes": free}

        self.add("disk", check, is_critical=False)

    async def check(self) -> dict[str, CheckResult]:
        """Run all checks side by side, at most once a second.

        Returns:
            Results by name; a failure is a result, never raised.
        """
        async with self._lock:
            if time.monotonic() - self._checked_at > _CACHE_SECONDS:
                runs = [_run(dependency) for dependency in self._dependencies]
                results = await asyncio.gather(*runs)
                names = [dependency.name for dependency in self._dependencies]
                self._log_changes(fresh := dict(zip(names, results, strict=True)))
                self._results = fresh
                self._checked_at = time.monotonic()
            return self._results

    def _log_changes(self, fresh: Mapping[str, CheckResult]) -> None:
        for name, result in fresh.items():
            before = self._results.get(name)
            was_ok = before is None or before.is_ok
            if was_ok and not result.is_ok:
                _log.warning("dependency_lost", dependency=name, error=result.error)
            elif not was_ok and result.is_ok:
                _log.info("dependency_recovered", dependency=name)


class ReportingBus(Protocol):
    """What `bus_check` asks; the buses of `libs.events` are such."""

    def health(self) -> Mapping[str, Any]:
        """Return the report; ``is_healthy`` is always in it."""
        ...


def bus_check(bus: ReportingBus) -> Check:
    """Return the check for ``health.add("rabbitmq", ..., is_critical=False)``.

    It shows connections, subscriptions and outbox whether all is well or not; a bus
    that is not healthy fails with ``events_unavailable``.
    """

    async def check() -> Mapping[str, object]:
        report = bus.health()
        if not report["is_healthy"]:
            raise UnavailableError(
                "events_unavailable", "The event bus is not connected.", **report
            )
        return report

    return check


def status_of(results: Mapping[str, CheckResult]) -> Status:
    """Return failed if a critical check failed, degraded if another one did."""
    failed = [result for result in results.values() if not result.is_ok]
    if any(result.is_critical for result in failed):
        return "failed"
    return "degraded" if failed else "ok"


class Operations:
    """ASGI: serves ``/health``, ``/health/live``, ``/health/ready`` and ``/metrics``.

    All else goes to the app inside. Outside of request ids, logs and traces: probes
    come every second.
    """

    def __init__(self, app: ASGIApp, health: Health, service: str) -> None:
        self._app = app
        self._health = health
        self._service = service
        self._paths: dict[str, ASGIApp] = {
            "/health": self._report,
            "/health/live": self._live,
            "/health/ready": self._ready,
            "/metrics": metrics_endpoint,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        endpoint = self._paths.get(scope["path"]) if scope["type"] == "http" else None
        if endpoint is None:
            await self._app(scope, receive, send)
        elif scope["method"] in {"GET", "HEAD"}:
            await endpoint(scope, receive, send)
        else:
            await send_problem(send, status_problem(405, {"allow": "GET"}))

    async def _live(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await _send_json(send, 200, {"status": "ok"})

    async def _ready(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        if self._health.is_draining:
            await _send_json(send, 503, {"status": "draining"})
            return
        status = status_of(await self._health.check())
        await _send_json(send, 503 if status == "failed" else 200, {"status": status})

    async def _report(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        results = await self._health.check()
        status = status_of(results)
        body = {
            "status": status,
            "service": self._service,
            "version": VERSION,
            "is_draining": self._health.is_draining,
            "checks": {name: _as_json(result) for name, result in results.items()},
        }
        await _send_json(send, 503 if status == "failed" else 200, body)


async def _run(dependency: _Dependency) -> CheckResult:
    start = time.perf_counter()
    error: str | None = None
    details: Mapping[str, object] | None = None
    try:
        async with asyncio.timeout(dependency.deadline_seconds):
            details = await dependency.check()
    except AppError as failure:
        error, details = failure.code, failure.details
    except Exception as failure:  # noqa: BLE001 - whatever it raises is its result
        error = type(failure).__name__
    return CheckResult(
        is_ok=error is None,
        is_critical=dependency.is_critical,
        duration_ms=round((time.perf_counter() - start) * 1000, 1),
        error=error,
        details=details if isinstance(details, Mapping) else {},
    )


def _as_json(result: CheckResult) -> dict[str, object]:
    return {
        **result.details,
        "status": "ok" if result.is_ok else "failed",
        "is_critical": result.is_critical,
        "duration_ms": result.duration_ms,
        **({"error": result.error} if result.error else {}),
    }


async def _send_json(send: Send, status: int, body: object) -> None:
    raw = orjson.dumps(body, default=str, option=orjson.OPT_NON_STR_KEYS)
    await send_response(send, status, raw, _JSON)
