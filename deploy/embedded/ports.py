"""The one table of ports: offsets over a stack's base, and who holds a port."""

import socket
from collections.abc import Mapping
from types import MappingProxyType

import psutil

from deploy.embedded.errors import StackError

DEFAULT_BASE = 21000
SPAN = 100
"""Ports in a stack's block; bases of neighbouring stacks differ by this."""

HIGHEST = 32767
"""Above it the kernel hands out ports to outgoing connections."""

_LOWEST = 1024

OFFSETS: Mapping[str, int] = MappingProxyType(
    {
        "edge": 0,
        "files": 1,
        "edge_tls": 2,
        "files_tls": 3,
        "gateway": 10,
        "auth": 11,
        "chat": 12,
        "chat_sockets": 13,
        "media": 14,
        "notification": 15,
        "project": 16,
        "mongod": 20,
        "valkey": 21,
        "amqp": 22,
        "rabbitmq_management": 23,
        "rabbitmq_prometheus": 24,
        "rabbitmq_distribution": 25,
        "epmd": 26,
        "s3": 30,
        "s3_grpc": 31,
        "master": 32,
        "master_grpc": 33,
        "volume": 34,
        "volume_grpc": 35,
        "filer": 36,
        "filer_grpc": 37,
        "smtp": 40,
        "smtp_view": 41,
        "fcm": 42,
        "fcm_proxy": 43,
        "fcm_control": 44,
        "prometheus": 50,
        "grafana": 51,
    }
)


def port_of(base: int, name: str) -> int:
    """Return the port of one listener.

    Args:
        base: First port of the stack's block.
        name: A key of `OFFSETS`.

    Raises:
        StackError: Nothing of that name listens.
    """
    try:
        return base + OFFSETS[name]
    except KeyError:
        names = ", ".join(OFFSETS)
        raise StackError(f"no port is called {name!r}; there are: {names}") from None


def validate_base(base: int) -> int:
    """Return the base if its whole block can be used.

    Raises:
        StackError: It reaches below 1024 or into the kernel's own ports.
    """
    if base < _LOWEST or base + SPAN - 1 > HIGHEST:
        raise StackError(
            f"port base {base} is out of range: it and the {SPAN - 1} ports above "
            f"must lie in {_LOWEST}..{HIGHEST}"
        )
    return base


def is_free(port: int) -> bool:
    """Tell whether a server could listen on 127.0.0.1 at this port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
    return True


def listener_of(port: int) -> psutil.Process | None:
    """Return the process that listens at a port, None if it cannot be known."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return None
    for connection in connections:
        if connection.status != psutil.CONN_LISTEN or not connection.laddr:
            continue
        if connection.laddr.port == port and connection.pid is not None:
            try:
                return psutil.Process(connection.pid)
            except psutil.NoSuchProcess:
                return None
    return None


def owner_of(port: int) -> str | None:
    """Return pid and command line of a port's listener, None if not known."""
    listener = listener_of(port)
    if listener is None:
        return None
    try:
        command = " ".join(listener.cmdline())[:120]
    except psutil.Error:
        command = "command unknown"
    return f"pid {listener.pid} ({command})"
