"""What is measured: one upstream, nginx before it, and gateways before it.

The upstream is nginx too and answers from memory, so that what is measured is what
stands before it. The gateways are ordinary ones on the stack's servers, with limits
that are charged but never reached.
"""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.events.meter import cpu_of, rss_kb_of
from deploy.embedded.environment import service_environment
from deploy.embedded.layout import Stack
from deploy.embedded.servers.nginx import nginx_file

OPEN, CLOSED, BYTES = "/api/v1/bench/open", "/api/v1/bench/closed", "/api/v1/bench/b"
GATEWAYS = ("gateway", "many-routes", "httpx")
_PORTS = ("upstream", "nginx", "far-end", *GATEWAYS)
_FIRST_OFFSET = 70
_START_SECONDS = 30.0
_ROUTES = 200
_BODY = json.dumps({"items": [{"id": n, "name": "a row"} for n in range(8)]})

_NGINX = """
daemon off; pid nginx.pid; worker_processes 1; error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
  client_body_temp_path temp/body; proxy_temp_path temp/proxy;
  fastcgi_temp_path temp/fastcgi; uwsgi_temp_path temp/uwsgi;
  scgi_temp_path temp/scgi;
  access_log off; keepalive_requests 1000000;
  upstream behind {{ server 127.0.0.1:{upstream}; keepalive 64; }}
  server {{
    listen 127.0.0.1:{port};
    {locations}
  }}
}}
"""
_ANSWER = """
    location / {{ default_type application/json; return 200 '{body}'; }}
"""
_PROXY = """
    location / {
      proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_pass http://behind;
    }
"""


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        pid: Of the process that works.
    """

    url: str
    pid: int

    @property
    def cpu_seconds(self) -> float:
        """CPU that it has used so far, user and system."""
        return cpu_of(self.pid)

    @property
    def rss_kb(self) -> float:
        """Memory of it that is resident now, in kB of 1,000 bytes."""
        return rss_kb_of(self.pid)


def port_of(stack: Stack, name: str) -> int:
    """Return the port of one of them, or of the far end of long streams."""
    return stack.base + _FIRST_OFFSET + _PORTS.index(name)


@contextmanager
def running(stack: Stack, folder: Path) -> Iterator[dict[str, Server]]:
    """Run all of them while the block runs, by name."""
    ports = {name: port_of(stack, name) for name in _PORTS}
    answer = _ANSWER.format(body=_BODY)
    with ExitStack() as opened:
        found = {}
        for name, locations in (("upstream", answer), ("nginx", _PROXY)):
            text = _NGINX.format(
                port=ports[name], upstream=ports["upstream"], locations=locations
            )
            nginx = _nginx(folder / name, ports[name], text)
            found[name] = opened.enter_context(nginx)
        for name in GATEWAYS:
            gateway = _gateway(stack, folder, name, ports)
            found[name] = opened.enter_context(gateway)
        yield found


@contextmanager
def _nginx(folder: Path, port: int, text: str) -> Iterator[Server]:
    (folder / "temp").mkdir(parents=True)
    (folder / "nginx.conf").write_text(text)
    command = [str(nginx_file()), "-p", f"{folder}/", "-c", "nginx.conf"]
    with _process([*command, "-e", "stderr"], {}, f"http://127.0.0.1:{port}/") as pid:
        yield Server(f"http://127.0.0.1:{port}", pid)


@contextmanager
def _gateway(
    stack: Stack, folder: Path, name: str, ports: dict[str, int]
) -> Iterator[Server]:
    routes = folder / f"{name}.json"
    routes.write_text(json.dumps({"routes": _routes(many=name == "many-routes")}))
    port = ports[name]
    environment = service_environment(stack, "gateway") | {
        "GATEWAY_PORT": str(port),
        "GATEWAY_INSTANCE_ID": f"bench-{name}",
        "GATEWAY_LOG_FILE": str(folder / f"{name}.jsonl"),
        "GATEWAY_ROUTES_FILE": str(routes),
        "GATEWAY_PROJECT_URL": f"http://127.0.0.1:{ports['upstream']}",
        "GATEWAY_MEDIA_URL": f"http://127.0.0.1:{ports['far-end']}",
        "GATEWAY_ADDRESS_RATE_PER_SECOND": "1000000",
        "GATEWAY_ADDRESS_BURST": "1000000",
        "GATEWAY_USER_RATE_PER_SECOND": "1000000",
        "GATEWAY_USER_BURST": "1000000",
        "GATEWAY_SESSION_RATE_PER_SECOND": "1000000",
        "GATEWAY_SESSION_BURST": "1000000",
        "GATEWAY_CONCURRENT_ADDRESS_MAX": "1024",
        "GATEWAY_CONCURRENT_USER_MAX": "1024",
    }
    module = "bench.gateway.with_httpx" if name == "httpx" else "services.gateway"
    command = [sys.executable, "-m", module]
    ready = f"http://127.0.0.1:{port}/health/ready"
    with _process(command, environment, ready) as pid:
        yield Server(f"http://127.0.0.1:{port}", pid)


def _routes(*, many: bool) -> list[dict[str, object]]:
    shared = {"methods": ["GET", "POST"], "service": "project"}
    long = {"body_max_bytes": 2**31, "body_timeout_seconds": 300}
    routes: list[dict[str, object]] = [
        {"prefix": OPEN, "is_anonymous": True, **shared},
        {"prefix": CLOSED, **shared},
        {"prefix": BYTES, "is_anonymous": True, **shared, "service": "media", **long},
    ]
    if many:
        others = range(_ROUTES - len(routes))
        routes += [{"prefix": f"/api/v1/other-{n}/rows", **shared} for n in others]
    return routes


@contextmanager
def _process(
    command: list[str], environment: dict[str, str], ready_url: str
) -> Iterator[int]:
    process = subprocess.Popen(command, env=os.environ | environment)  # noqa: S603 - our own
    try:
        _wait(process, ready_url)
        yield _worker_of(process.pid)
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    limit = time.monotonic() + _START_SECONDS
    while True:
        assert process.poll() is None, f"{process.args!r} ended"
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - our own process
                return
        except OSError:
            assert time.monotonic() < limit, f"{url} does not answer"
            time.sleep(0.1)


def _worker_of(pid: int) -> int:
    """Return nginx's one worker, or the process itself where it has no child."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0]) if len(children) == 1 else pid
