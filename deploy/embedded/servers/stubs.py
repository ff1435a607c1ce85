"""The stand-ins as programs: the SMTP sink and the FCM stub."""

import sys
from functools import partial

from deploy.embedded.layout import Stack
from deploy.embedded.program import Group, Program
from deploy.embedded.readiness import http_ok


def smtp_program(stack: Stack) -> Program:
    """Describe the SMTP sink for the supervisor."""
    return _stub(stack, "smtp", "smtp_sink", ("smtp", "smtp_view"), "smtp_view")


def fcm_program(stack: Stack) -> Program:
    """Describe the FCM stand-in for the supervisor."""
    ports = ("fcm", "fcm_proxy", "fcm_control")
    return _stub(stack, "fcm", "fcm", ports, "fcm_control")


def _stub(
    stack: Stack, name: str, module: str, ports: tuple[str, ...], view: str
) -> Program:
    ready = partial(http_ok, f"{stack.url(view)}/health")
    return Program(
        name=name,
        group=Group.SERVER,
        command=(
            *(sys.executable, "-m", f"deploy.embedded.stubs.{module}"),
            *(str(stack.root), str(stack.base)),
        ),
        ports=ports,
        settle=ready,
        check=ready,
    )
