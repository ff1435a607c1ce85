"""The app of a FastAPI service, and `run` for every service's ``__main__``."""

import re
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from libs.chassis.health import Health, Operations
from libs.chassis.payloads import DEFAULT_LIMITS, JsonLimits, StrictJson
from libs.chassis.problems import (
    CONTENT_TYPE,
    Problem,
    problem_of,
    status_problem,
    validation_problem,
)
from libs.chassis.requests import RequestEdge, request_state, route_template
from libs.chassis.security import InternalTokenVerifier
from libs.chassis.server import run
from libs.chassis.settings import ServiceSettings
from libs.chassis.version import VERSION
from libs.kernel import AppError

if TYPE_CHECKING:  # the gateway keeps no audit
    from libs.chassis.audit import Refusals

__all__ = ["Lifespan", "create_http_app", "run"]

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[Any]]
"""Opens what the service needs and yields the typed state of every request."""


def create_http_app(
    settings: ServiceSettings,
    *,
    lifespan: Lifespan,
    routers: Iterable[APIRouter],
    title: str,
    health: Health,
    limits: JsonLimits = DEFAULT_LIMITS,
    forms: re.Pattern[str] | None = None,
) -> FastAPI:
    """Build a service's HTTP app; opens nothing.

    Every answer to a failure is a problem, bodies are strict JSON, requests carry
    ids and are traced, counted and logged once. Serves ``/health``, ``/health/live``,
    ``/health/ready``, ``/metrics``; no documentation pages.

    Args:
        settings: Its common part is read here.
        lifespan: Opens and closes everything; what it yields is ``request.state``.
            Where ``refusals`` is in it, what is forbidden is recorded there.
        routers: The service's own routes, with their full public paths.
        title: For the OpenAPI document.
        health: The service adds its checks to it; the free space of `data_dir` is
            added here.
        limits: Of request bodies.
        forms: Paths whose bodies are forms, because a standard says so.
    """
    app = FastAPI(
        title=title,
        version=VERSION,
        lifespan=_checked(lifespan),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        # Ours is `RequestEdge`; FastAPI's own logs the messages of exceptions.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    for router in routers:
        app.include_router(router)
    health.add_disk(settings.data_dir)
    app.state.health = health
    app.state.internal_tokens = InternalTokenVerifier(
        settings.internal_jwks_file, settings.service_name()
    )
    app.add_exception_handler(AppError, _on_app_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    # The last one added is the outermost.
    app.add_middleware(StrictJson, limits=limits, forms=forms)
    app.add_middleware(RequestEdge)
    app.add_middleware(Operations, health=health, service=settings.service_name())
    return app


def _checked(lifespan: Lifespan) -> Lifespan:
    @asynccontextmanager
    async def opened(app: FastAPI) -> AsyncIterator[Any]:
        verifier: InternalTokenVerifier = app.state.internal_tokens
        verifier.load()  # a missing key file is found now, not by the first request
        async with lifespan(app) as state:
            yield state

    return opened


async def _on_app_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, AppError)  # noqa: S101 - registered for it
    refusals: Refusals | None = getattr(request.state, "refusals", None)
    if refusals is not None:
        way_in = f"{request.method} {route_template(request.scope)}"
        await refusals.record(error, way_in, request.path_params)
    return _respond(request, problem_of(error))


async def _on_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it
    return _respond(request, validation_problem(error.errors()))


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it
    return _respond(request, status_problem(error.status_code, error.headers))


def _respond(request: Request, problem: Problem) -> Response:
    request_state(request.scope).error_code = problem.code
    headers = {key.decode(): value.decode() for key, value in problem.headers}
    headers.setdefault("cache-control", "no-store")
    return Response(
        problem.body, problem.status, headers, media_type=CONTENT_TYPE.decode()
    )
