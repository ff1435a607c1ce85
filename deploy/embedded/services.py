"""The services of this checkout as programs."""

import sys
from functools import partial
from types import MappingProxyType

from deploy.embedded.environment import service_environment
from deploy.embedded.layout import CHECKOUT, Stack
from deploy.embedded.passwords import SERVICES
from deploy.embedded.program import Group, Program
from deploy.embedded.readiness import http_ok

_AFTER = ("mongod", "valkey", "rabbitmq", "topology")
_ALSO_AFTER = {
    "chat": ("chat-schema",),
    "media": ("seaweedfs",),
    "notification": ("smtp", "fcm"),
}
_LISTENERS = {"chat": ("chat", "chat_sockets")}


def service_programs(stack: Stack) -> list[Program]:
    """Describe the services that exist in the checkout, in their table's order."""
    return [
        _program(stack, service)
        for service in SERVICES
        if (CHECKOUT / "services" / service / "__main__.py").exists()
    ]


def schema_program(stack: Stack) -> Program:
    """Describe the step that brings chat's database to what the checkout needs.

    It runs at every `up`, before the service, which only checks.
    """
    return Program(
        name="chat-schema",
        group=Group.SERVER,
        command=(sys.executable, "-m", "services.chat", "migrate", "apply"),
        environment=MappingProxyType(service_environment(stack, "chat")),
        after=("mongod",),
        is_task=True,
    )


def _program(stack: Stack, service: str) -> Program:
    ready = partial(http_ok, f"{stack.url(service)}/health/ready")
    return Program(
        name=service,
        group=Group.SERVICE,
        command=(sys.executable, "-m", f"services.{service}"),
        environment=MappingProxyType(service_environment(stack, service)),
        ports=_LISTENERS.get(service, (service,)),
        after=(*_AFTER, *_ALSO_AFTER.get(service, ())),
        settle=ready,
        check=ready,
        start_seconds=40,
        stop_seconds=30,
    )
