"""Start every service with its own requirements alone, on real servers.

For each service an environment is made from ``requirements/<service>.txt`` and nothing
else; the service is imported and started from it, must become ready, and must end with
status 0 on SIGTERM. A stack of its own gives the servers.
"""

import contextlib
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from tests.support.stack import RunningStack, running_stack

ENVIRONMENTS = Path(".smoke")
READY_SECONDS = 40
STOP_SECONDS = 30

Launch = Callable[[RunningStack, str], "subprocess.Popen[bytes]"]
"""Starts a service of a stack, in whatever way."""

Look = Callable[[RunningStack, str], None]
"""Looks at a service that runs."""


def prepare(service: str) -> Path:
    """Make the service's environment; return its Python."""
    folder = ENVIRONMENTS / service
    uv = str(Path(sys.executable).parent / "uv")
    python = folder / "bin" / "python"
    if not python.exists():
        _run(uv, "venv", "-q", "--python", sys.executable, str(folder))
    _run(
        uv, "pip", "sync", "-q", "--require-hashes", "--python", str(python),
        f"requirements/{service}.txt",
    )  # fmt: skip
    _run(str(python), "-c", f"import services.{service}.app")
    return python.absolute()


def start(python: Path, stack: RunningStack, service: str) -> subprocess.Popen[bytes]:
    """Start a service from its own environment."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        **stack.service_environment(service),
    }
    return subprocess.Popen([str(python), "-m", f"services.{service}"], env=environment)


def wait_ready(
    process: subprocess.Popen[bytes], stack: RunningStack, service: str
) -> None:
    """Wait until a service says that it is ready."""
    deadline = time.monotonic() + READY_SECONDS
    url = f"http://127.0.0.1:{stack.port(service)}/health/ready"
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(urllib.error.URLError, OSError):
            urllib.request.urlopen(url, timeout=2).close()
            return
        time.sleep(0.1)
    log = stack.root / "log" / f"{service}.jsonl"
    raise SystemExit(f"{service} did not get ready; its log, if it has one: {log}")


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


def nothing(_stack: RunningStack, _service: str) -> None:
    """Look no further."""


def run_each(services: list[str], launch: Launch, look: Look = nothing) -> int:
    """Start services on a stack of servers; return how many did not end with 0.

    Args:
        services: Their names.
        launch: Starts one.
        look: Called when it is ready; raises where something is wrong.
    """
    failed = 0
    with running_stack("smoke") as stack:
        running: dict[str, subprocess.Popen[bytes]] = {}
        try:
            for service in services:
                began = time.monotonic()
                running[service] = launch(stack, service)
                wait_ready(running[service], stack, service)
                seconds = time.monotonic() - began
                print(f"  ready: {service}, after {seconds:.1f} s", flush=True)
                look(stack, service)
        finally:
            for process in running.values():
                process.terminate()
            for service, process in running.items():
                status = process.wait(STOP_SECONDS)
                failed += status != 0
                print(f"  stopped: {service}, status {status}", flush=True)
    return failed


def main(services: list[str]) -> int:
    """Start each service; return 0 when all became ready and stopped with 0."""
    pythons = {service: prepare(service) for service in services}
    print(f"environments made: {', '.join(pythons)}", flush=True)

    def launch(stack: RunningStack, service: str) -> subprocess.Popen[bytes]:
        return start(pythons[service], stack, service)

    return 1 if run_each(services, launch) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
