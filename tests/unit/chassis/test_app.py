"""The app of a service: problems, strict bodies, ids, logs, metrics, principals."""

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import pytest
from fastapi import APIRouter, HTTPException, Request
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY
from pydantic import BaseModel, ConfigDict, Field
from pymongo.errors import DuplicateKeyError, ServerSelectionTimeoutError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from libs.chassis.app import create_http_app
from libs.chassis.health import Health
from libs.chassis.pagination import DEFAULT_LIMIT, Limit, Page
from libs.chassis.security import (
    AnyPrincipal,
    CurrentPrincipal,
    FreshPrincipal,
    Principal,
    ServicePrincipal,
)
from libs.crypto import SigningKeysError
from libs.kernel import (
    ConflictError,
    NotFoundError,
    RateLimitedError,
    SystemClock,
    UnavailableError,
    is_id,
)
from tests.support.asgi import AsgiClient

router = APIRouter(prefix="/api/v1/things")


class Cat(BaseModel):
    """One kind of a union."""

    model_config = ConfigDict(extra="forbid")
    kind: Literal["cat"]


class Dog(BaseModel):
    """The other kind."""

    model_config = ConfigDict(extra="forbid")
    kind: Literal["dog"]


class Thing(BaseModel):
    """A request with a shape."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=5)
    count: int = 0
    pet: Cat | Dog | None = Field(default=None, discriminator="kind")


@router.post("")
async def make(thing: Thing) -> Thing:
    """Return what came."""
    return thing


@router.get("/me")
async def me(principal: CurrentPrincipal, request: Request) -> list[str]:
    """Return who asks, and the state of the lifespan."""
    return [principal.user_id, principal.session_id, request.state.greeting]


@router.get("/any")
async def anyone(principal: AnyPrincipal) -> str:
    """Return who asks."""
    return principal.user_id


@router.get("/fresh")
async def fresh(principal: FreshPrincipal) -> str:
    """Return who asks."""
    return principal.user_id


@router.get("/internal")
async def internal(principal: ServicePrincipal) -> str:
    """Return which service asks."""
    return principal.caller


@router.get("/page")
async def page(limit: Limit = DEFAULT_LIMIT) -> Page[int]:
    """Return the limit."""
    return Page(items=[limit])


FAILURES = {
    "not_found": NotFoundError("thing_not_found", "No such thing.", thing_id="t1"),
    "conflict": ConflictError("taken", "It is taken.", status=999, title="x"),
    "limited": RateLimitedError("slow_down", "Too fast.", retry_after_seconds=1.2),
    "unavailable": UnavailableError("store_away", "Not now."),
    "value": ValueError("private words"),
    "mongo_away": ServerSelectionTimeoutError("host:1 private"),
    "mongo_duplicate": DuplicateKeyError("dup key: { email: 'a@b.c' }"),
    "redis_away": RedisConnectionError("host:1 private"),
    "redis_wrong": ResponseError("WRONGTYPE private"),
    "timeout": TimeoutError(),
    "teapot": HTTPException(418, "private words"),
}


@router.get("/fail/{how}")
async def fail(how: str) -> None:
    """Fail."""
    raise FAILURES[how]


@asynccontextmanager
async def lifespan(_app):
    """Open nothing."""
    yield {"greeting": "hello"}


@pytest.fixture
def health():
    """Checks of the service."""
    return Health()


@pytest.fixture
async def client(settings, health):
    """A running service."""
    app = create_http_app(
        settings, lifespan=lifespan, routers=[router], title="Things", health=health
    )
    async with AsgiClient(app) as running:
        yield running


def assert_problem(response, status, code):
    """Every failure has the same form."""
    assert response.status == status, response.body
    assert response.header("content-type") == "application/problem+json"
    problem = response.json()
    assert problem["status"] == status
    assert problem["code"] == code
    assert problem["type"] == "about:blank"
    assert problem["title"]
    assert problem["detail"]
    assert len(problem["trace_id"] or "0" * 32) == 32
    assert b"private" not in response.body
    assert response.header("cache-control") == "no-store"
    return problem


@pytest.mark.parametrize(
    ("how", "status", "code"),
    [
        ("not_found", 404, "thing_not_found"),
        ("conflict", 409, "taken"),
        ("limited", 429, "slow_down"),
        ("unavailable", 503, "store_away"),
        ("value", 500, "internal"),
        ("mongo_away", 503, "database_unavailable"),
        ("mongo_duplicate", 500, "internal"),
        ("redis_away", 503, "cache_unavailable"),
        ("redis_wrong", 500, "internal"),
        ("timeout", 503, "deadline_exceeded"),
        ("teapot", 418, "http_418"),
    ],
)
async def test_each_failure_is_a_problem(client, how, status, code):
    """Whatever is raised becomes problem+json; nothing private is told."""
    response = await client.request("GET", f"/api/v1/things/fail/{how}")
    assert_problem(response, status, code)


async def test_details_are_told_but_never_replace_the_problems_own_names(client):
    """An error's details stand beside code and status."""
    response = await client.request("GET", "/api/v1/things/fail/not_found")
    assert response.json()["thing_id"] == "t1"
    response = await client.request("GET", "/api/v1/things/fail/conflict")
    assert response.json()["status"] == 409
    assert response.json()["code"] == "taken"


async def test_retry_after_is_whole_seconds_and_long_enough(client):
    """1.2 s becomes 2; an unavailable service suggests a second."""
    response = await client.request("GET", "/api/v1/things/fail/limited")
    assert response.header("retry-after") == "2"
    response = await client.request("GET", "/api/v1/things/fail/unavailable")
    assert response.header("retry-after") == "1"


async def test_routing_failures_are_problems(client):
    """404 and 405 have codes; the allowed methods are named."""
    response = await client.request("GET", "/nowhere")
    assert_problem(response, 404, "route_not_found")
    response = await client.request("DELETE", "/api/v1/things")
    assert_problem(response, 405, "method_not_allowed")
    assert response.header("allow") == "POST"


async def test_there_is_no_documentation_page(client):
    """FZ-3: docs, schema and trailing-slash redirects are not served."""
    for path in ("/docs", "/redoc", "/openapi.json", "/api/v1/things/me/"):
        response = await client.request("GET", path)
        assert_problem(response, 404, "route_not_found")


async def test_a_wrong_shape_is_told_by_path_and_code_without_its_value(client):
    """422 names the fields and never repeats what was in them (MA-1)."""
    response = await client.request(
        "POST", "/api/v1/things", json_body={"name": "private", "role": "private"}
    )
    problem = assert_problem(response, 422, "request_invalid")
    assert [(e["path"], e["code"]) for e in problem["errors"]] == [
        ("body.name", "string_too_long"),
        ("body.role", "extra_forbidden"),
    ]


async def test_an_unknown_union_kind_is_not_repeated(client):
    """Pydantic's own sentence would quote the tag."""
    response = await client.request(
        "POST", "/api/v1/things", json_body={"name": "a", "pet": {"kind": "private"}}
    )
    assert_problem(response, 422, "request_invalid")


async def test_at_most_twenty_errors_with_short_paths_are_told(client):
    """An answer is not larger than the request that provoked it."""
    body = {"name": "a"} | {f"{'x' * 500}{i}": 1 for i in range(100)}
    response = await client.request("POST", "/api/v1/things", json_body=body)
    problem = assert_problem(response, 422, "request_invalid")
    assert len(problem["errors"]) == 20
    assert max(len(error["path"]) for error in problem["errors"]) == 100


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff",
        b'{"name": NaN}',
        b'{"name": "a", "count": 1e400}',
        b'{"name": "a", "name": "b"}',
        b'{"name": "\\ud800"}',
        b'{"name": "a", "count": 9223372036854775808}',
        b"[" * 1000,
    ],
)
async def test_bad_json_is_refused_before_the_schema(client, body):
    """NI-3: 400 json_invalid, whatever the model would say."""
    response = await client.request(
        "POST",
        "/api/v1/things",
        body=body,
        headers={"content-type": "application/json"},
    )
    assert_problem(response, 400, "json_invalid")


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "application/jsonx",
        "text/json",
    ],
)
async def test_other_content_types_are_refused(client, content_type):
    """CS-1: a form or a plain text is no JSON, even if it looks like it."""
    headers = {"content-type": content_type} if content_type else {}
    response = await client.request(
        "POST", "/api/v1/things", body=b'{"name": "a"}', headers=headers
    )
    assert_problem(response, 415, "content_type_unsupported")


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON; charset=UTF-8"]
)
async def test_json_in_utf8_is_taken(client, content_type):
    """Case and an explicit charset do not matter."""
    response = await client.request(
        "POST",
        "/api/v1/things",
        body=b'{"name": "a"}',
        headers={"content-type": content_type},
    )
    assert response.status == 200
    assert response.json()["name"] == "a"


async def test_a_body_may_come_in_pieces(client):
    """Chunks are joined before the schema sees them."""
    response = await client.request(
        "POST",
        "/api/v1/things",
        body=[b'{"na', b'me": ', b'"a"}'],
        headers={"content-type": "application/json"},
    )
    assert response.status == 200


@pytest.mark.parametrize("body", [b" " * 1_048_577, [b" " * 600_000] * 3])
async def test_a_large_body_is_refused_sized_or_chunked(client, body):
    """HT-1: 413 as soon as the limit is passed."""
    response = await client.request(
        "POST",
        "/api/v1/things",
        body=body,
        headers={"content-type": "application/json"},
    )
    problem = assert_problem(response, 413, "body_too_large")
    assert problem["limit_bytes"] == 1_048_576


async def test_a_client_that_leaves_in_mid_body_gets_no_answer(client):
    """Nothing is handled and nothing is sent."""
    response = await client.request("POST", "/api/v1/things", body=[])
    assert response.status == 0


async def test_ids_of_the_caller_are_taken_over(client, logs):
    """The request id is answered, logged and becomes the correlation id."""
    trace = "0af7651916cd43dd8448eb211c80319c"
    response = await client.request(
        "GET",
        "/api/v1/things/fail/not_found",
        headers={
            "x-request-id": "request-0001",
            "traceparent": f"00-{trace}-b7ad6b7169203331-01",
        },
    )
    assert response.header("x-request-id") == "request-0001"
    (line,) = [log for log in logs if log["event"] == "request_handled"]
    assert line["request_id"] == "request-0001"
    assert line["correlation_id"] == "request-0001"
    assert line["status"] == 404
    assert line["code"] == "thing_not_found"
    assert line["route"] == "/api/v1/things/fail/{how}"
    assert line["duration_ms"] >= 0


@pytest.mark.parametrize("given", ["short", "a b c d e f", "x" * 65, "id\r\nx: yyyyy"])
async def test_a_malformed_request_id_is_replaced(client, given):
    """What goes into logs and headers is checked."""
    response = await client.request("GET", "/x", headers={"x-request-id": given})
    assert is_id(response.header("x-request-id"))


async def test_a_correlation_id_of_its_own_is_kept(client, logs):
    """An action of several requests has one id."""
    await client.request(
        "GET",
        "/x",
        headers={"x-correlation-id": "action-00001", "x-request-id": "r" * 9},
    )
    assert logs[0]["correlation_id"] == "action-00001"
    assert logs[0]["request_id"] == "r" * 9


async def test_an_unexpected_error_is_logged_without_values(client, logs):
    """Class and place, no message that may quote a user."""
    await client.request("GET", "/api/v1/things/fail/value")
    failed, handled = logs
    assert failed["event"] == "request_failed"
    assert isinstance(failed["exc_info"], ValueError)
    assert handled["log_level"] == "warning"
    assert handled["code"] == "internal"


async def test_requests_are_counted_by_template(client):
    """Labels hold no ids."""
    labels = {"method": "GET", "route": "/api/v1/things/fail/{how}", "status": "404"}
    before = REGISTRY.get_sample_value("http_requests_total", labels) or 0
    await client.request("GET", "/api/v1/things/fail/not_found")
    assert REGISTRY.get_sample_value("http_requests_total", labels) == before + 1
    metrics = await client.request("GET", "/metrics")
    assert b"http_request_seconds_bucket" in metrics.body
    assert b"fail/not_found" not in metrics.body


async def test_an_odd_method_is_one_label(client):
    """Nobody can fill the memory with methods."""
    await client.request("BREW", "/x")
    labels = {"method": "OTHER", "route": "unmatched", "status": "404"}
    assert REGISTRY.get_sample_value("http_requests_total", labels)


async def test_a_user_is_known_by_the_internal_token(client, callers, logs):
    """The principal comes from the token alone, and is logged by id."""
    headers = callers.headers("demo", Principal("u1", "s1"))
    headers |= {"x-user-id": "u2", "x-internal-user": "u2"}
    response = await client.request("GET", "/api/v1/things/me", headers=headers)
    assert response.json() == ["u1", "s1", "hello"]
    assert logs[-1]["user_id"] == "u1"
    assert logs[-1]["caller"] == "gateway"


@pytest.mark.parametrize(
    ("principal", "statuses"),
    [
        (Principal("u1", "s1"), [200, 200, 403]),
        (Principal.anonymous(), [401, 200, 403]),
        (Principal.service(), [403, 200, 200]),
    ],
)
async def test_routes_choose_who_may_ask(client, callers, principal, statuses):
    """User, anybody, service: three annotations."""
    headers = callers.headers("demo", principal)
    asked = [
        (await client.request("GET", f"/api/v1/things/{path}", headers=headers)).status
        for path in ("me", "any", "internal")
    ]
    assert asked == statuses


@pytest.mark.parametrize(
    ("seconds_ago", "fields", "code"),
    [
        (0, {}, None),
        (290, {}, None),
        (310, {}, "step_up_required"),
        (None, {}, "step_up_required"),
        (0, {"scopes": ("profile:read",)}, "insufficient_scope"),
    ],
)
async def test_mf_6_a_fresh_proof_is_five_minutes_old_at_most(
    client, callers, seconds_ago, fields, code
):
    """MF-6: older, unknown, or a restricted token's: refused."""
    now = int(SystemClock().now().timestamp())
    proved_at = 0 if seconds_ago is None else now - seconds_ago
    principal = Principal("u1", "s1", authenticated_at=proved_at, **fields)
    headers = callers.headers("demo", principal)
    answer = await client.request("GET", "/api/v1/things/fresh", headers=headers)
    assert answer.status == (403 if code else 200)
    assert code is None or answer.json()["code"] == code


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer ", "Bearer x.y.z", "Basic dTpw", "bearer\ta.b.c"],
)
async def test_without_a_valid_internal_token_nobody_asks(client, authorization):
    """IN-1: not even anonymous routes answer."""
    headers = {} if authorization is None else {"authorization": authorization}
    for path in ("me", "any", "internal"):
        response = await client.request(
            "GET", f"/api/v1/things/{path}", headers=headers
        )
        assert_problem(response, 401, "internal_token_invalid")
        assert response.header("www-authenticate") == "Bearer"


@pytest.mark.parametrize(
    ("limit", "status"),
    [
        ("", 200),
        ("?limit=200", 200),
        ("?limit=201", 422),
        ("?limit=0", 422),
        ("?limit=x", 422),
    ],
)
async def test_limits_of_pages_are_bounded(client, limit, status):
    """1 to 200, 50 if left out."""
    response = await client.request("GET", f"/api/v1/things/page{limit}")
    assert response.status == status
    if not limit:
        assert response.json() == {"items": [50], "next_cursor": None}


async def test_a_missing_key_file_stops_the_start(settings, health):
    """The first request must not be the one to find out."""
    broken = settings.model_copy(
        update={"internal_jwks_file": Path("/nowhere/jwks.json")}
    )
    app = create_http_app(
        broken, lifespan=lifespan, routers=[], title="Things", health=health
    )
    with pytest.raises(SigningKeysError, match=r"/nowhere/jwks\.json"):
        await AsgiClient(app).__aenter__()


async def test_context_does_not_leak_between_requests(client, callers, logs):
    """A request without a user is not logged with the one before's."""
    headers = callers.headers("demo", Principal("u1", "s1"))
    await asyncio.gather(
        client.request("GET", "/api/v1/things/me", headers=headers),
        client.request("GET", "/api/v1/things/any"),
    )
    by_route = {log["route"]: log for log in logs if log["event"] == "request_handled"}
    assert by_route["/api/v1/things/me"]["user_id"] == "u1"
    assert "user_id" not in by_route["/api/v1/things/any"]


async def test_a_service_that_calls_is_logged_as_caller_not_as_user(
    client, callers, logs
):
    """Nobody searches the logs for a person called "service"."""
    headers = callers.headers("demo", Principal.service(), caller="chat")
    await client.request("GET", "/api/v1/things/internal", headers=headers)
    headers = callers.headers("demo", Principal.anonymous())
    await client.request("GET", "/api/v1/things/any", headers=headers)
    of_service, of_nobody = [log for log in logs if log["event"] == "request_handled"]
    assert of_service["caller"] == "chat"
    assert of_nobody["caller"] == "gateway"
    assert "user_id" not in of_service | of_nobody


@pytest.mark.parametrize(
    ("path", "name", "attributes"),
    [
        (
            "/api/v1/things/fail/value",
            "GET /api/v1/things/fail/{how}",
            {"http.route": "/api/v1/things/fail/{how}", "status": 500},
        ),
        ("/nothing/here", "GET", {"status": 404}),
    ],
)
async def test_a_span_is_named_by_method_and_template(
    client, monkeypatch, path, name, attributes
):
    """A trace is found by route and status; a path names no span."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("libs.chassis")
    monkeypatch.setattr("libs.chassis.requests._tracer", tracer)
    await client.request("GET", path)
    (span,) = exporter.get_finished_spans()
    assert span.name == name
    status = attributes.pop("status")
    assert dict(span.attributes) == attributes | {
        "http.request.method": "GET",
        "http.response.status_code": status,
    }
