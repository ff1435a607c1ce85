"""An nginx of a test's own, rendered as the stack's is, before what the test says."""

import contextlib
import json
import os
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from deploy.embedded.certificates import ensure_certificates
from deploy.embedded.layout import HOST, Stack
from deploy.embedded.servers.nginx import edge_form, nginx_file
from deploy.nginx.form import EdgeForm
from deploy.nginx.rendering import render

_START_SECONDS = 10
_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Answer:
    """What came back over one connection.

    Attributes:
        status: Of the first response; 0 where there was none.
        headers: Of the first response, names in lower case.
        body: What followed its header, the next responses too.
        seconds: From the first byte sent to the connection's end.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    @property
    def code(self) -> str:
        """Return the code of a problem."""
        return str(json.loads(self.body[: self._length])["code"])

    @property
    def is_whole(self) -> bool:
        """Tell whether the body is as long as the header says."""
        return self.status > 0 and len(self.body) == self._length

    @property
    def _length(self) -> int:
        return int(self.headers.get("content-length", len(self.body)))


@dataclass
class EdgeProcess:
    """A running nginx."""

    stack: Stack
    process: subprocess.Popen[bytes]

    @property
    def folder(self) -> Path:
        """Where its configuration is."""
        return self.stack.run("edge")

    @property
    def url(self) -> str:
        """Plain address of the site."""
        return self.stack.url("edge")

    @property
    def tls_url(self) -> str:
        """Address of the site over TLS."""
        return f"https://{self.stack.address('edge_tls')}"

    def port(self, name: str = "edge") -> int:
        """Return the port of one of its listeners."""
        return self.stack.port(name)

    def trust(self) -> ssl.SSLContext:
        """Return what checks its certificate."""
        return ssl.create_default_context(cafile=str(self.stack.ca_file))

    def workers(self) -> set[int]:
        """Return the pids of its workers, old and new."""
        return {child.pid for child in psutil.Process(self.process.pid).children()}

    def configure(self, form: EdgeForm) -> None:
        """Write another configuration and let nginx take it over."""
        (self.folder / "nginx.conf").write_text(render(form))
        nginx(self.stack, "-s", "reload")

    def log(self, name: str = "edge-access") -> list[dict[str, Any]]:
        """Return the lines of an access log."""
        text = (self.stack.logs / f"{name}.log").read_text()
        return [json.loads(line) for line in text.splitlines()]

    def logged(self, answer: Answer) -> dict[str, Any]:
        """Return the line of one request, which may be written after its answer."""
        limit = time.monotonic() + _START_SECONDS
        while True:
            for line in self.log():
                if line["request_id"] == answer.headers["x-request-id"]:
                    return line
            assert time.monotonic() < limit
            time.sleep(_POLL_SECONDS)

    def say(
        self, text: str | bytes, name: str = "edge", seconds: float = 20, **options: Any
    ) -> Answer:
        """Send bytes as they are on a connection of its own, until it is closed."""
        return say(self.port(name), text, seconds, **options)


def nginx(stack: Stack, *words: str) -> subprocess.CompletedProcess[str]:
    """Run nginx on a stack's configuration to its end."""
    command = [str(nginx_file()), "-p", f"{stack.run('edge')}/", "-c", "nginx.conf"]
    return subprocess.run(
        [*command, "-e", "stderr", *words], capture_output=True, text=True, check=False
    )


@contextlib.contextmanager
def running_edge(stack: Stack, form: EdgeForm | None = None) -> Iterator[EdgeProcess]:
    """Yield an nginx that listens on a stack's edge ports; nothing else of it runs."""
    ensure_certificates(stack)
    stack.folder("run", "edge", "temp")
    stack.folder("log")
    text = render(form or edge_form(stack))
    (stack.run("edge") / "nginx.conf").write_text(text)
    command = [str(nginx_file()), "-p", f"{stack.run('edge')}/", "-c", "nginx.conf"]
    process = subprocess.Popen([*command, "-e", "stderr"], env=os.environ)
    try:
        _wait(stack, process)
        yield EdgeProcess(stack, process)
    finally:
        process.terminate()
        process.wait(timeout=10)


def _wait(stack: Stack, process: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + _START_SECONDS
    while True:
        assert process.poll() is None, nginx(stack, "-t").stderr
        with contextlib.suppress(OSError):
            socket.create_connection((HOST, stack.port("edge_tls")), 1).close()
            return
        assert time.monotonic() < limit
        time.sleep(_POLL_SECONDS)


def say(
    port: int,
    text: str | bytes,
    seconds: float = 20,
    *,
    source: str = HOST,
    trust: ssl.SSLContext | None = None,
    is_patient: bool = True,
) -> Answer:
    """Send bytes on a connection of its own and read until the other side closes it.

    Args:
        port: On loopback.
        text: Sent as it is.
        seconds: Without a byte, after which waiting ends.
        source: Address that the connection comes from.
        trust: For TLS.
        is_patient: Whether to stay after a whole answer.
    """
    began = time.monotonic()
    answer = b""
    with contextlib.ExitStack() as stack:
        connection: socket.socket = stack.enter_context(
            socket.create_connection((HOST, port), seconds, (source, 0))
        )
        if trust is not None:
            connection = stack.enter_context(
                trust.wrap_socket(connection, server_hostname=HOST)
            )
        with contextlib.suppress(OSError):
            connection.sendall(text if isinstance(text, bytes) else text.encode())
            while chunk := connection.recv(65536):
                answer += chunk
                if not is_patient and parsed(answer).is_whole:
                    break
    return parsed(answer, time.monotonic() - began)


def parsed(answer: bytes, seconds: float = 0) -> Answer:
    """Read the first response out of what came back."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ")
    pairs = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
    return Answer(status, headers, body, seconds)
