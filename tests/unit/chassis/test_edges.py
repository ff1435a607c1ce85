"""Trace context, drivers' failures, the lifespan runner, raw ASGI around the edge."""

import asyncio
import time

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from pymongo.errors import (
    AutoReconnect,
    DuplicateKeyError,
    ExecutionTimeout,
    NetworkTimeout,
    OperationFailure,
    WaitQueueTimeoutError,
)
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    InvalidResponse,
    ReadOnlyError,
    ResponseError,
)
from redis.exceptions import TimeoutError as RedisTimeoutError

from libs.chassis import mongo, redis
from libs.chassis.errors import StartError
from libs.chassis.lifespan import LifespanRunner
from libs.chassis.problems import HttpError, problem_for
from libs.chassis.requests import RequestEdge, request_state
from libs.chassis.settings import MongoSettings, RedisSettings
from libs.chassis.telemetry import IdTracerProvider, make_tracer_provider
from libs.events.tracing import causation_id, correlation_id
from libs.kernel import UnavailableError, is_id
from tests.support.asgi import AsgiClient

# ---- traces


def test_without_a_collector_ids_still_flow():
    """A root span draws ids; a child keeps its parent's trace."""
    tracer = IdTracerProvider().get_tracer("x")
    with tracer.start_as_current_span("root") as root:
        outer = root.get_span_context()
        assert outer.is_valid
        assert outer.trace_flags.sampled
        assert not root.is_recording()
        with tracer.start_as_current_span("child"):
            inner = trace.get_current_span().get_span_context()
            assert inner.trace_id == outer.trace_id
            assert inner.span_id != outer.span_id
    assert tracer.start_span("other").get_span_context().trace_id != outer.trace_id


def test_the_callers_sampling_decision_is_kept():
    """A trace that is not sampled stays so."""
    parent = SpanContext(5, 6, is_remote=True, trace_flags=TraceFlags(0))
    context = trace.set_span_in_context(NonRecordingSpan(parent))
    span = IdTracerProvider().get_tracer("x").start_span("child", context)
    assert span.get_span_context().trace_id == 5
    assert not span.get_span_context().trace_flags.sampled


def test_an_error_inside_a_span_passes_through():
    """Tracing changes nothing."""
    tracer = IdTracerProvider().get_tracer("x")
    with pytest.raises(KeyError), tracer.start_as_current_span("root"):
        raise KeyError


def test_a_collector_gets_real_spans(settings):
    """With an endpoint the SDK records and exports."""
    assert isinstance(make_tracer_provider(settings), IdTracerProvider)
    told = settings.model_copy(update={"otlp_endpoint": "http://127.0.0.1:23199/"})
    provider = make_tracer_provider(told)
    assert isinstance(provider, TracerProvider)
    assert provider.resource.attributes["service.name"] == "demo"
    assert provider.get_tracer("x").start_span("a").is_recording()
    provider.shutdown()


def test_drawing_ids_is_cheap():
    """A few microseconds a span, measured loosely."""
    tracer = IdTracerProvider().get_tracer("x")
    start = time.thread_time()
    for _ in range(2000):
        with tracer.start_as_current_span("x"):
            pass
    assert time.thread_time() - start < 1


# ---- drivers


@pytest.mark.parametrize(
    "error",
    [
        AutoReconnect("private"),
        NetworkTimeout("private"),
        ExecutionTimeout("private"),
        WaitQueueTimeoutError("private"),
        OperationFailure("private", code=11602),
        OperationFailure("x", 8000, {"errorLabels": ["TransientTransactionError"]}),
        OperationFailure("x", 8000, {"errorLabels": ["RetryableWriteError"]}),
    ],
)
def test_a_database_that_does_not_answer_is_unavailable(error):
    """The driver's words stay in the cause."""
    with pytest.raises(UnavailableError) as caught, mongo.map_mongo_errors():
        raise error
    assert caught.value.code == "database_unavailable"
    assert caught.value.__cause__ is error
    assert "private" not in str(caught.value)


@pytest.mark.parametrize(
    "error", [DuplicateKeyError("dup"), OperationFailure("auth", code=18)]
)
def test_other_failures_of_the_database_pass(error):
    """The repository, or a person, has to know them."""
    with pytest.raises(type(error)), mongo.map_mongo_errors():
        raise error


@pytest.mark.parametrize(
    "error",
    [
        RedisTimeoutError("private"),
        BusyLoadingError("x"),
        ReadOnlyError("x"),
        AuthenticationError("private"),
        InvalidResponse("private"),
    ],
)
def test_a_cache_that_does_not_answer_is_unavailable(error):
    """As for the database; so is one that takes no account, or is no Redis."""
    with pytest.raises(UnavailableError) as caught, redis.map_redis_errors():
        raise error
    assert caught.value.code == "cache_unavailable"


def test_other_failures_of_the_cache_pass():
    """They are bugs of who asks."""
    with pytest.raises(ResponseError), redis.map_redis_errors():
        raise ResponseError("WRONGTYPE")


@pytest.mark.parametrize("url", ["redis://u:hunter2@h/?nonsense=1", "unix:///hunter2"])
async def test_an_option_that_redis_has_not_is_told_at_the_start(url):
    """Every use would fail by it."""
    with pytest.raises(StartError, match="redis_url") as caught:
        async with redis.open_redis(RedisSettings(redis_url=url)):
            pass
    assert "hunter2" not in str(caught.value)


async def test_nonsense_connection_strings_are_named_without_being_shown():
    """The sentence says which setting is wrong."""
    url = "hunter2://user:hunter2@host"
    with pytest.raises(StartError, match="mongo_url") as caught:
        async with mongo.open_mongo(MongoSettings(mongo_url=url, mongo_database="x")):
            pass
    assert "hunter2" not in str(caught.value)
    with pytest.raises(StartError, match="redis_url") as caught:
        async with redis.open_redis(RedisSettings(redis_url=url)):
            pass
    assert "hunter2" not in str(caught.value)


async def test_opening_contacts_nobody():
    """A service starts while its servers are still starting."""
    async with (
        mongo.open_mongo(
            MongoSettings(mongo_url="mongodb://127.0.0.1:9/", mongo_database="x")
        ) as database,
        redis.open_redis(RedisSettings(redis_url="redis://127.0.0.1:9/")) as client,
    ):
        assert database.name == "x"
        assert client is not None


# ---- problems


def test_a_failure_of_http_itself_has_its_own_status():
    """415 and 504 are no kinds of the core's errors."""
    problem = problem_for(HttpError(504, "upstream_timeout", "It took too long."))
    assert (problem.status, problem.code) == (504, "upstream_timeout")
    assert problem_for(ValueError()) is None


# ---- the lifespan


def lifespan_app(*, failure=None, error=None, stop_error=None, leaves=False):
    """Build an app that only has a lifespan."""

    async def app(scope, receive, send):
        assert (await receive())["type"] == "lifespan.startup"
        if error is not None:
            raise error
        if failure is not None:
            await send({"type": "lifespan.startup.failed", "message": failure})
            return
        scope["state"]["seen"] = 1
        await send({"type": "lifespan.startup.complete"})
        if leaves:
            await asyncio.sleep(0.01)
            raise OSError("gone")
        assert (await receive())["type"] == "lifespan.shutdown"
        if stop_error is not None:
            raise stop_error
        await send({"type": "lifespan.shutdown.complete"})

    return app


async def test_a_lifespan_gives_its_state():
    """What it put there is every request's state."""
    runner = LifespanRunner(lifespan_app())
    await runner.start()
    assert runner.state == {"seen": 1}
    await runner.stop()


async def test_a_reported_failure_stops_the_start():
    """An app that reports instead of raising."""
    with pytest.raises(StartError, match="no database"):
        await LifespanRunner(lifespan_app(failure="no database")).start()
    with pytest.raises(StartError, match="no reason"):
        await LifespanRunner(lifespan_app(failure="")).start()


async def test_what_the_app_raises_comes_out():
    """At the start, in the middle, and at the end."""
    with pytest.raises(KeyError):
        await LifespanRunner(lifespan_app(error=KeyError("x"))).start()
    runner = LifespanRunner(lifespan_app(stop_error=KeyError("x")))
    await runner.start()
    with pytest.raises(KeyError):
        await runner.stop()
    runner = LifespanRunner(lifespan_app(leaves=True))
    await runner.start()
    await asyncio.wait({runner.task})
    with pytest.raises(OSError, match="gone"):
        await runner.stop()


async def test_a_start_can_be_called_off():
    """SIGTERM while a database is being waited for."""

    async def app(_scope, _receive, _send):
        await asyncio.sleep(60)

    runner = LifespanRunner(app)
    starting = asyncio.create_task(runner.start())
    await asyncio.sleep(0)
    await runner.cancel()
    assert runner.task.cancelled()
    with pytest.raises(asyncio.CancelledError):
        await starting


def test_it_has_no_task_before_it_starts():
    """A programming error is named."""
    with pytest.raises(RuntimeError):
        _ = LifespanRunner(lifespan_app()).task


# ---- a raw ASGI app inside the edge, as the gateway has it


def edge_app(handler, *, trusts_caller=False):
    """Put a handler into the edge, with an empty lifespan."""
    lifespan = lifespan_app()

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            await lifespan(scope, receive, send)
        else:
            await handler(scope, receive, send)

    return RequestEdge(app, trusts_caller=trusts_caller)


async def test_an_untrusted_caller_chooses_no_ids(logs):
    """RL-5: the gateway makes its own request id and trace."""
    seen = {}

    async def handler(scope, _receive, send):
        scope["route_template"] = "/api/v1/{rest}"
        state = request_state(scope)
        seen["state"] = state
        seen["ids"] = (correlation_id.get(), causation_id.get())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    async with AsgiClient(edge_app(handler)) as client:
        response = await client.request(
            "GET",
            "/api/v1/x",
            headers={
                "x-request-id": "chosen-by-client",
                "x-correlation-id": "chosen-by-client",
                "traceparent": f"00-{'a' * 32}-{'b' * 16}-01",
            },
        )
    state = seen["state"]
    assert is_id(state.request_id)
    assert state.correlation_id == state.request_id
    assert state.traceparent is None
    assert seen["ids"] == (state.request_id, state.request_id)
    assert response.header("x-request-id") == state.request_id
    assert logs[0]["route"] == "/api/v1/{rest}"


async def test_a_failure_after_the_first_byte_cuts_the_answer(logs):
    """Nothing can be taken back; the log says so."""

    async def handler(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise OSError

    async with AsgiClient(edge_app(handler)) as client:
        response = await client.request("GET", "/x")
    assert response.status == 200
    assert [log["event"] for log in logs] == ["request_failed", "request_handled"]
    assert logs[1]["code"] == "cut"


async def test_an_app_that_answers_nothing_is_logged_as_broken(logs):
    """It must not look like a success."""

    async def handler(_scope, _receive, _send):
        return

    async with AsgiClient(edge_app(handler)) as client:
        await client.request("GET", "/x")
    assert logs[0]["status"] == 500


async def test_recorded_spans_carry_route_and_status(monkeypatch):
    """With a collector the server span is named by its template."""
    provider = TracerProvider()
    monkeypatch.setattr(
        "libs.chassis.requests._tracer", provider.get_tracer("libs.chassis")
    )
    spans = []

    async def handler(scope, _receive, _send):
        scope["route_template"] = "/t"
        spans.append(trace.get_current_span())
        raise HttpError(504, "upstream_timeout", "x")

    parent = "0af7651916cd43dd8448eb211c80319c"
    async with AsgiClient(edge_app(handler, trusts_caller=True)) as client:
        await client.request(
            "GET", "/x", headers={"traceparent": f"00-{parent}-b7ad6b7169203331-01"}
        )
    (span,) = spans
    assert span.name == "GET /t"
    assert span.attributes["http.response.status_code"] == 504
    assert span.attributes["http.route"] == "/t"
    assert f"{span.get_span_context().trace_id:032x}" == parent
    assert not span.status.is_ok
    provider.shutdown()
