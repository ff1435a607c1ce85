"""A gateway process before an upstream process, on the test stack's servers."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import aiohttp
import psutil
import pytest

from libs.crypto import SigningKey
from libs.crypto.jwk import jwks
from tests.support.asgi import InternalCallers
from tests.support.forged_tokens import Tokens

ISSUER = "http://issuer.test"
_GATEWAY, _UPSTREAM, _STRICT, _AWAY, _NOBODY, _PAIR, _ONE, _TWO = range(
    60, 68
)  # offsets in the stack's block of ports
_START_SECONDS = 30
_LARGE = {
    "prefix": "/api/v1/media/large",
    "methods": ["GET", "POST"],
    "service": "media",
    "body_max_bytes": 300_000_000,
    "body_timeout_seconds": 120,
    "answer_timeout_seconds": 120,
}
_SLOW = {
    "prefix": "/api/v1/media/slow",
    "methods": ["GET", "POST"],
    "service": "media",
    "body_timeout_seconds": 1,
    "timeout_seconds": 1,
    "answer_timeout_seconds": 2,
}
_OPEN = {
    "prefix": "/api/v1/media/open",
    "methods": ["GET", "POST"],
    "service": "media",
    "is_anonymous": True,
    "timeout_seconds": 1,
}
_DEMO = {
    "prefix": "/api/v1/media/demo",
    "methods": ["GET", "POST"],
    "service": "media",
    "is_anonymous": True,
    "target_prefix": "/api/v1/demo",
}
_WIDE = {
    "GATEWAY_ADDRESS_RATE_PER_SECOND": "100000",
    "GATEWAY_ADDRESS_BURST": "100000",
    "GATEWAY_USER_RATE_PER_SECOND": "100000",
    "GATEWAY_USER_BURST": "100000",
    "GATEWAY_SESSION_RATE_PER_SECOND": "100000",
    "GATEWAY_SESSION_BURST": "100000",
    "GATEWAY_CONCURRENT_ADDRESS_MAX": "1024",
    "GATEWAY_CONCURRENT_USER_MAX": "1024",
}
_NARROW = {
    "GATEWAY_ADDRESS_RATE_PER_SECOND": "20",
    "GATEWAY_ADDRESS_BURST": "10",
    "GATEWAY_USER_RATE_PER_SECOND": "5",
    "GATEWAY_USER_BURST": "3",
    "GATEWAY_LOGIN_RATE_PER_SECOND": "0.5",
    "GATEWAY_LOGIN_BURST": "2",
}
_OFFICE = {
    "prefix": "/api/v1/media/office",
    "methods": ["GET"],
    "service": "media",
    "allowed_networks": ["192.0.2.0/24"],
    "denied_networks": ["192.0.2.66"],
}
_NEXT = {
    "prefix": "/api/v2/files",
    "methods": ["GET"],
    "service": "media",
    "target_prefix": "/api/v1/media",
    "request_headers": {"set": {"accept-version": "1"}, "remove": ["accept-language"]},
    "response_headers": {"set": {"cache-control": "private"}, "remove": ["etag"]},
}
_OLD = {
    "prefix": "/api/v1/media/old",
    "methods": ["GET"],
    "service": "media",
    "deprecation": {
        "since": "2026-12-01",
        "sunset": "2027-12-01",
        "successor": "/api/v2/files",
    },
}


@dataclass
class GatewayRig:
    """A running gateway, its upstream, and a client."""

    url: str
    port: int
    pid: int
    upstream_url: str
    tokens: Tokens
    http: aiohttp.ClientSession

    async def ask(self, method: str, path: str, **options):
        """Return (status, headers, body) of a request with a fresh user's token."""
        headers = dict(options.pop("headers", {}))
        headers.setdefault("Authorization", f"Bearer {self.tokens.access()}")
        async with self.http.request(
            method, f"{self.url}{path}", headers=headers, **options
        ) as response:
            return response.status, response.headers, await response.read()

    async def problem(self, method: str, path: str, **options):
        """Return (status, code) of a request that fails."""
        status, headers, body = await self.ask(method, path, **options)
        assert headers["Content-Type"] == "application/problem+json", body
        return status, json.loads(body)["code"]

    async def counts(self) -> dict[str, int]:
        """Return what the upstream has counted."""
        async with self.http.get(f"{self.upstream_url}/_counts") as response:
            return await response.json()

    async def counted(self, name: str, at_least: int) -> None:
        """Return when the upstream has counted something so often."""
        while (await self.counts()).get(name, 0) < at_least:  # noqa: ASYNC110
            await asyncio.sleep(0.05)

    async def metric(self, name: str) -> float:
        """Return a metric of the gateway, by name and labels; 0 if it has none."""
        async with self.http.get(f"{self.url}/metrics") as response:
            lines = (await response.text()).splitlines()
        values = [line.rpartition(" ") for line in lines if not line.startswith("#")]
        return next((float(value) for key, _, value in values if key == name), 0.0)

    def log(self) -> str:
        """Return what the gateway has logged."""
        return _lines_of(Path(psutil.Process(self.pid).environ()["GATEWAY_LOG_FILE"]))

    def rss(self) -> int:
        """Return the gateway's resident memory, bytes."""
        return psutil.Process(self.pid).memory_info().rss

    def connections(self) -> int:
        """Return how many sockets the gateway holds."""
        return len(psutil.Process(self.pid).net_connections())


@pytest.fixture(scope="session")
def signing_key() -> SigningKey:
    """The key of the auth that the upstream plays."""
    return SigningKey.generate("test-key")


@pytest.fixture(scope="session")
def upstream(stack, signing_key, tmp_path_factory):
    """An upstream process; yields its address."""
    file = tmp_path_factory.mktemp("upstream") / "jwks.json"
    file.write_text(json.dumps(jwks([signing_key])))
    with _upstream(stack, _UPSTREAM, file) as (url, _):
        yield url


@contextlib.contextmanager
def _upstream(stack, offset, jwks_file):
    port = stack.port("edge") + offset
    command = ["-m", "tests.support.upstream", "--port", str(port)]
    command += ["--jwks", str(jwks_file)]
    with _process(command, {}, f"http://127.0.0.1:{port}/_counts") as process:
        yield f"http://127.0.0.1:{port}", process


@contextlib.asynccontextmanager
async def _before(stack, upstream, folder, signing_key, offsets, **more):
    """A gateway whose chat and media have instances of their own."""
    file = folder / "jwks.json"
    file.write_text(json.dumps(jwks([signing_key])))
    with contextlib.ExitStack() as instances:
        running = [
            instances.enter_context(_upstream(stack, offset, file))
            for offset in offsets
        ]
        urls = ",".join(url for url, _ in running)
        environment = _environment(stack, upstream, folder, _PAIR) | more
        for service in ("CHAT", "MEDIA"):
            environment[f"GATEWAY_{service}_URL"] = urls
        with _gateway(environment) as found:
            async with aiohttp.ClientSession() as http:
                rig = GatewayRig(
                    *found, running[0][0], Tokens(signing_key, ISSUER), http
                )
                yield rig, [process for _, process in running]


@pytest.fixture
async def pair(stack, upstream, signing_key, tmp_path):
    """A gateway before two instances; they may be killed."""
    offsets = (_ONE, _TWO)
    async with _before(stack, upstream, tmp_path, signing_key, offsets) as rig:
        yield rig


@pytest.fixture
async def lone(stack, upstream, signing_key, tmp_path):
    """A gateway before one instance; it may be stopped."""
    async with _before(stack, upstream, tmp_path, signing_key, (_ONE,)) as rig:
        yield rig[0], rig[1][0]


@pytest.fixture
async def crowded(stack, upstream, signing_key, tmp_path):
    """A gateway with twenty places."""
    more = {"GATEWAY_CONCURRENT_MAX": "20", "GATEWAY_CONCURRENT_ADDRESS_MAX": "12"}
    async with _before(stack, upstream, tmp_path, signing_key, (_ONE,), **more) as rig:
        yield rig[0]


@pytest.fixture
async def patient(stack, upstream, signing_key, tmp_path):
    """A gateway that asks again and again, before one instance that may be killed."""
    more = {"GATEWAY_BREAKER_CALLS_MIN": "1000000"} | _WIDE
    async with _before(stack, upstream, tmp_path, signing_key, (_ONE,), **more) as rig:
        yield rig[0], rig[1][0]


@dataclass
class DemoInstance:
    """One of a service's instances, made as every service is."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it; return when it serves."""
        self.folder.mkdir(exist_ok=True)
        environment = {
            "DEMO_PORT": str(self.port),
            "DEMO_PUBLIC_URL": "http://localhost",
            "DEMO_DATA_DIR": str(self.folder),
            "DEMO_LOG_FILE": str(self.folder / "demo.jsonl"),
            "DEMO_INTERNAL_JWKS_FILE": str(InternalCallers(self.folder).jwks_file),
        }
        command = [sys.executable, "-m", "tests.support.demo_service"]
        self.process = subprocess.Popen(command, env=os.environ | environment)
        _wait(self.process, f"{self.url}/health/ready")

    def stop(self) -> None:
        """End it in good order."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=30)

    def handled(self, method: str) -> list[str]:
        """Return the ids of the requests that it has handled."""
        lines = _lines_of(self.folder / "demo.jsonl").splitlines()
        events = [json.loads(line) for line in lines]
        return [
            event["correlation_id"]
            for event in events
            if event["event"] == "request_handled" and event["method"] == method
        ]


def _lines_of(log: Path) -> str:
    """Return the lines of a log that are whole; the last may be being written."""
    text = log.read_text()
    return text[: text.rfind("\n") + 1]


@pytest.fixture
def demos(stack, tmp_path):
    """Two running instances of a service."""
    instances = [
        DemoInstance(stack.port("edge") + offset, tmp_path / f"demo-{offset}")
        for offset in (_ONE, _TWO)
    ]
    try:
        for instance in instances:
            instance.start()
        yield instances
    finally:
        for instance in instances:
            instance.stop()


@pytest.fixture
def before_demos(stack, upstream, demos, tmp_path):
    """The address of a gateway before them."""
    environment = _environment(stack, upstream, tmp_path, _PAIR) | _WIDE
    environment["GATEWAY_MEDIA_URL"] = ",".join(demo.url for demo in demos)
    with _gateway(environment) as (url, _, _):
        yield url


@pytest.fixture
def confined(stack, upstream, tmp_path):
    """A gateway with 256 descriptors and forty places; yields (address, port, pid)."""
    environment = _environment(stack, upstream, tmp_path, _PAIR) | _WIDE
    environment["GATEWAY_CONCURRENT_MAX"] = "40"
    with _gateway(environment, "tests.support.confined_gateway") as running:
        yield running


@pytest.fixture(scope="session")
def gateway_process(stack, upstream, tmp_path_factory):
    """A gateway with wide limits; yields (address, port, pid)."""
    folder = tmp_path_factory.mktemp("gateway")
    environment = _environment(stack, upstream, folder, _GATEWAY) | _WIDE
    environment["GATEWAY_BREAKER_CALLS_MIN"] = "1000000"
    environment["GATEWAY_TRUSTED_PROXIES"] = "127.0.0.1/32"
    with _gateway(environment) as running:
        yield running


@pytest.fixture(scope="session")
def strict_process(stack, upstream, tmp_path_factory):
    """A gateway with narrow limits; yields (address, port, pid)."""
    folder = tmp_path_factory.mktemp("strict")
    environment = _environment(stack, upstream, folder, _STRICT) | _NARROW
    with _gateway(environment) as running:
        yield running


@pytest.fixture
def strict_urls(stack, upstream, strict_process, tmp_path):
    """Three gateways with the same narrow limits."""
    with contextlib.ExitStack() as others:
        urls = [strict_process[0]]
        for offset in (_PAIR, _ONE):
            folder = tmp_path / str(offset)
            folder.mkdir()
            environment = _environment(stack, upstream, folder, offset) | _NARROW
            urls.append(others.enter_context(_gateway(environment))[0])
        yield urls


@pytest.fixture
async def gateway(gateway_process, upstream, signing_key):
    """The gateway with wide limits."""
    async with aiohttp.ClientSession(auto_decompress=False) as http:
        yield GatewayRig(*gateway_process, upstream, Tokens(signing_key, ISSUER), http)


@pytest.fixture(scope="session")
def away_process(stack, upstream, tmp_path_factory):
    """A gateway whose project service is not there; yields (address, port, pid)."""
    folder = tmp_path_factory.mktemp("away")
    nobody = f"http://127.0.0.1:{stack.port('edge') + _NOBODY}"
    environment = _environment(stack, upstream, folder, _AWAY)
    with _gateway(environment | {"GATEWAY_PROJECT_URL": nobody}) as running:
        yield running


@pytest.fixture
async def gateway_away(away_process, upstream, signing_key):
    """The gateway whose project service is not there."""
    async with aiohttp.ClientSession() as http:
        yield GatewayRig(*away_process, upstream, Tokens(signing_key, ISSUER), http)


@pytest.fixture
async def strict_gateway(strict_process, upstream, signing_key):
    """The gateway with narrow limits."""
    async with aiohttp.ClientSession() as http:
        yield GatewayRig(*strict_process, upstream, Tokens(signing_key, ISSUER), http)


def _environment(stack, upstream: str, folder: Path, offset: int) -> dict[str, str]:
    port = stack.port("edge") + offset
    table = json.loads(
        (resources.files("services.gateway") / "routes.json").read_text()
    )
    table["routes"] += [_LARGE, _SLOW, _OPEN, _OFFICE, _NEXT, _OLD, _DEMO]
    (folder / "routes.json").write_text(json.dumps(table))
    services = ("auth", "chat", "media", "notification", "project")
    return stack.service_environment("gateway") | {
        "GATEWAY_INSTANCE_ID": f"test-{offset}",
        "GATEWAY_PORT": str(port),
        "GATEWAY_ISSUER": ISSUER,
        "GATEWAY_LOG_FILE": str(folder / "gateway.jsonl"),
        "GATEWAY_ROUTES_FILE": str(folder / "routes.json"),
        **{f"GATEWAY_{name.upper()}_URL": upstream for name in services},
    }


@contextlib.contextmanager
def _gateway(environment: dict[str, str], module: str = "services.gateway"):
    port = int(environment["GATEWAY_PORT"])
    url = f"http://127.0.0.1:{port}"
    command = ["-m", module]
    with _process(command, environment, f"{url}/health/ready") as process:
        yield url, port, process.pid


@contextlib.contextmanager
def _process(arguments: list[str], environment: dict[str, str], ready_url: str):
    process = subprocess.Popen(
        [sys.executable, *arguments], env=os.environ | environment
    )
    try:
        _wait(process, ready_url)
        yield process
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    limit = time.monotonic() + _START_SECONDS
    while True:
        assert process.poll() is None, f"{process.args} ended"
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(url, timeout=2),  # noqa: S310 - loopback
        ):
            return
        assert time.monotonic() < limit, f"{url} does not answer"
        time.sleep(0.1)
