"""Health: alive, ready, and what of its dependencies."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from libs.chassis.app import create_http_app
from libs.chassis.health import Health, Operations, bus_check, status_of
from libs.kernel import UnavailableError
from tests.support.asgi import AsgiClient


async def fine():
    """A check that passes."""


async def broken():
    """A check that fails with private words."""
    raise ConnectionError("private words")


@asynccontextmanager
async def lifespan(_app):
    """Open nothing."""
    yield {}


@pytest.fixture
def health():
    """Checks of the service."""
    return Health()


@pytest.fixture
async def client(settings, health):
    """A running service."""
    app = create_http_app(
        settings, lifespan=lifespan, routers=[], title="Demo", health=health
    )
    async with AsgiClient(app) as running:
        yield running


async def ask(client, path):
    """Status and parsed body."""
    response = await client.request("GET", path)
    return response.status, response.json()


async def test_a_healthy_service_tells_so(client, health):
    """All three say ok; the report names each check."""
    health.add("mongodb", fine)
    assert await ask(client, "/health/live") == (200, {"status": "ok"})
    assert await ask(client, "/health/ready") == (200, {"status": "ok"})
    status, report = await ask(client, "/health")
    assert status == 200
    assert report["status"] == "ok"
    assert report["service"] == "demo"
    assert report["checks"]["mongodb"]["status"] == "ok"
    assert report["checks"]["disk"]["free_bytes"] > 0


async def test_a_critical_failure_ends_readiness_but_not_life(client, health):
    """Restarting the process would not bring the database back."""
    health.add("mongodb", broken)
    assert (await ask(client, "/health/live"))[0] == 200
    assert await ask(client, "/health/ready") == (503, {"status": "failed"})
    status, report = await ask(client, "/health")
    assert status == 503
    assert report["checks"]["mongodb"]["error"] == "ConnectionError"
    assert "private" not in str(report)


async def test_another_failure_only_degrades(client, health):
    """Requests still come."""
    health.add("smtp", broken, is_critical=False)
    assert await ask(client, "/health/ready") == (200, {"status": "degraded"})
    assert (await ask(client, "/health"))[1]["status"] == "degraded"


async def test_draining_ends_readiness(client, health):
    """Balancers take the instance out before it stops."""
    health.is_draining = True
    assert await ask(client, "/health/ready") == (503, {"status": "draining"})
    assert (await ask(client, "/health/live"))[0] == 200
    assert (await ask(client, "/health"))[1]["is_draining"] is True


async def test_checks_run_side_by_side_within_their_deadlines(health):
    """A hanging dependency costs its own deadline, once."""
    together, met = asyncio.Barrier(3), []

    async def hang():
        met.append(await together.wait())
        await asyncio.sleep(60)

    for name in ("a", "b", "c"):
        health.add(name, hang, deadline_seconds=0.2)
    async with asyncio.timeout(10):
        results = await health.check()
    assert len(met) == 3
    assert {result.error for result in results.values()} == {"TimeoutError"}
    assert status_of(results) == "failed"


async def test_checks_are_not_run_more_than_once_a_second(health):
    """Probes of many balancers do not become load."""
    calls = []

    async def counted():
        calls.append(1)
        return {"queue": 3}

    health.add("amqp", counted)
    results = await asyncio.gather(*(health.check() for _ in range(20)))
    assert len(calls) == 1
    assert results[0]["amqp"].details == {"queue": 3}


async def test_an_app_error_tells_its_code_and_details(health):
    """The report helps the operator."""

    async def check():
        raise UnavailableError("broker_away", "no", queue="q")

    health.add("amqp", check)
    results = await health.check()
    assert results["amqp"].error == "broker_away"
    assert results["amqp"].details == {"queue": "q"}


async def test_loss_and_return_of_a_dependency_are_logged_once(
    health, logs, monkeypatch
):
    """The log shows the change, not every probe."""
    monkeypatch.setattr("libs.chassis.health._CACHE_SECONDS", -1)
    state = {"ok": False}

    async def check():
        if not state["ok"]:
            raise OSError

    health.add("mongodb", check)
    await health.check()
    await health.check()
    state["ok"] = True
    await health.check()
    await health.check()
    assert [log["event"] for log in logs] == [
        "dependency_lost",
        "dependency_recovered",
    ]


async def test_a_full_disk_degrades(health, tmp_path):
    """Logs and uploads would soon fail."""
    health.add_disk(tmp_path, least_bytes=2**60)
    results = await health.check()
    assert results["disk"].error == "disk_full"
    assert status_of(results) == "degraded"


async def test_other_methods_are_refused(client):
    """Health is read only."""
    response = await client.request("POST", "/health")
    assert response.status == 405
    assert response.header("allow") == "GET"


async def test_operations_wrap_a_raw_asgi_app(health):
    """The gateway has no FastAPI; other paths and scopes are its own."""
    seen = []

    async def app(scope, _receive, send):
        seen.append(scope["type"])
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body"})
            return
        await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})

    async with AsgiClient(Operations(app, health, "gateway")) as client:
        assert (await client.request("GET", "/api/x")).status == 204
        assert (await client.request("GET", "/health/live")).status == 200
        assert b"parley_build_info" in (await client.request("GET", "/metrics")).body
    assert seen == ["lifespan", "http"]


class Bus:
    """A bus with a report of its own."""

    def __init__(self, *, is_healthy):
        self._report = {"is_healthy": is_healthy, "subscriptions": {"a": is_healthy}}

    def health(self):
        """Return the report."""
        return self._report


@pytest.mark.parametrize("is_healthy", [True, False])
async def test_a_bus_shows_its_report_whether_well_or_not(client, health, is_healthy):
    """Subscriptions are of most use when one of them is away."""
    health.add("rabbitmq", bus_check(Bus(is_healthy=is_healthy)), is_critical=False)
    _, report = await ask(client, "/health")
    shown = report["checks"]["rabbitmq"]
    assert shown["subscriptions"] == {"a": is_healthy}
    assert shown.get("error") == (None if is_healthy else "events_unavailable")
    assert report["status"] == ("ok" if is_healthy else "degraded")
