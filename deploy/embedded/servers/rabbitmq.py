"""RabbitMQ and its port mapper epmd, each a program of its own.

The scripts below /usr/lib/rabbitmq are called directly: /usr/sbin holds Debian's
wrapper, which changes the user. epmd is started by us, not by the node, because the
one a node starts is a daemon that outlives it.
"""

import asyncio
import base64
import hashlib
import json
import secrets
import sys
from pathlib import Path
from types import MappingProxyType

import aiormq
from aiormq.exceptions import AMQPError

from deploy.embedded.layout import CHECKOUT, HOST, Stack, write_private
from deploy.embedded.packages import EPMD, RABBITMQ_SERVER
from deploy.embedded.passwords import ADMIN, SERVICES, Passwords
from deploy.embedded.program import Group, Program
from deploy.embedded.readiness import PROBE_SECONDS, NotReadyError, tcp_open


def amqp_url(stack: Stack, user: str) -> str:
    """Return the connection string of one account."""
    password = Passwords(stack).of("rabbitmq", user)
    return f"amqp://{user}:{password}@{stack.address('amqp')}/"


def epmd_program(stack: Stack) -> Program:
    """Describe the Erlang port mapper for the supervisor."""
    port = stack.port("epmd")
    return Program(
        name="epmd",
        group=Group.SERVER,
        command=(str(EPMD), "-port", str(port), "-address", HOST),
        environment=MappingProxyType({"HOME": str(stack.run("rabbitmq"))}),
        ports=("epmd",),
        settle=lambda: tcp_open(port),
        check=lambda: tcp_open(port),
    )


def rabbitmq_program(stack: Stack) -> Program:
    """Describe the RabbitMQ node for the supervisor."""
    return Program(
        name="rabbitmq",
        group=Group.SERVER,
        command=(str(RABBITMQ_SERVER),),
        environment=MappingProxyType(node_environment(stack)),
        ports=(
            "amqp",
            "rabbitmq_management",
            "rabbitmq_prometheus",
            "rabbitmq_distribution",
        ),
        after=("epmd",),
        prepare=lambda: _prepare(stack),
        settle=lambda: _log_in(stack),
        check=lambda: _log_in(stack),
        start_seconds=60,
        stop_seconds=30,
    )


def topology_program(stack: Stack) -> Program:
    """Describe the step that declares exchanges and queues and grants rights.

    It runs at every `up`: a checkout with a new subscription gets its queue.
    """
    workers = [
        f"services.{service}.consumers:worker"
        for service in SERVICES
        if has_consumers(CHECKOUT / "services" / service)
    ]
    return Program(
        name="topology",
        group=Group.SERVER,
        command=(
            *(sys.executable, "-m", "libs.events", "topology", "apply"),
            *("--workers", *workers),
        ),
        environment=MappingProxyType(topology_environment(stack)),
        after=("rabbitmq",),
        is_task=True,
    )


def has_consumers(service: Path) -> bool:
    """Tell whether a service's folder holds consumers, as a module or a package."""
    module, package = service / "consumers.py", service / "consumers" / "__init__.py"
    return module.exists() or package.exists()


def topology_environment(stack: Stack) -> dict[str, str]:
    """Return what `libs.events topology` needs to act as administrator."""
    password = Passwords(stack).of("rabbitmq", ADMIN)
    address = stack.address("rabbitmq_management")
    return {
        "EVENTS_ADMIN_AMQP_URL": amqp_url(stack, ADMIN),
        "EVENTS_MANAGEMENT_URL": f"http://{ADMIN}:{password}@{address}",
    }


def node_environment(stack: Stack) -> dict[str, str]:
    """Return the environment of the node and of rabbitmqctl alike."""
    run = stack.run("rabbitmq")
    return {
        "HOME": str(run),
        "RABBITMQ_NODENAME": "parley@localhost",
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_CONFIG_FILE": str(run / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(run / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(stack.data("rabbitmq")),
        "RABBITMQ_LOG_BASE": str(stack.folder("log")),
        "RABBITMQ_PID_FILE": str(run / "rabbitmq.pid"),
        "RABBITMQ_DIST_PORT": str(stack.port("rabbitmq_distribution")),
        "ERL_EPMD_PORT": str(stack.port("epmd")),
        "ERL_EPMD_ADDRESS": HOST,
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
            "+S 1:1 +sbwt none -start_epmd false "
            "-kernel inet_dist_use_interface {127,0,0,1}"
        ),
        # The script then becomes the node instead of its parent: one pid, and
        # SIGTERM reaches the node's own orderly shutdown.
        "RUNNING_UNDER_SYSTEMD": "true",
    }


def password_hash(password: str, salt: bytes) -> str:
    """Return a password as RabbitMQ's definitions hold it.

    Args:
        password: The password in clear.
        salt: Four random bytes.

    Source: RabbitMQ, "Credentials and Passwords", computing password hashes.
    """
    digest = hashlib.sha256(salt + password.encode()).digest()
    return base64.b64encode(salt + digest).decode()


def _prepare(stack: Stack) -> None:
    run = stack.run("rabbitmq")
    definitions = run / "definitions.json"
    write_private(run / "enabled_plugins", "[rabbitmq_management,rabbitmq_prometheus].")
    write_private(definitions, json.dumps(broker_definitions(Passwords(stack))))
    write_private(
        run / "rabbitmq.conf",
        f"listeners.tcp.1 = {stack.address('amqp')}\n"
        f"management.tcp.ip = {HOST}\n"
        f"management.tcp.port = {stack.port('rabbitmq_management')}\n"
        f"prometheus.tcp.ip = {HOST}\n"
        f"prometheus.tcp.port = {stack.port('rabbitmq_prometheus')}\n"
        f"load_definitions = {definitions}\n"
        "vm_memory_high_watermark.absolute = 512MB\n"
        "disk_free_limit.absolute = 200MB\n"
        "log.file = false\n"
        "log.console = true\n"
        "log.console.level = warning\n",
    )


def broker_definitions(passwords: Passwords) -> dict[str, object]:
    """Return accounts without rights: those are topology's, and outlive a restart.

    With definitions of its own a node makes no account "guest".
    """
    return {
        "users": [
            {
                "name": user,
                "password_hash": password_hash(
                    passwords.of("rabbitmq", user), secrets.token_bytes(4)
                ),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": ["administrator"] if user == ADMIN else [],
            }
            for user in (ADMIN, *SERVICES)
        ],
        "vhosts": [{"name": "/"}],
        "permissions": [
            {
                "user": ADMIN,
                "vhost": "/",
                "configure": ".*",
                "write": ".*",
                "read": ".*",
            }
        ],
    }


async def _log_in(stack: Stack) -> None:
    # A bare knock first: aiormq prints a line for every refused connection.
    await tcp_open(stack.port("amqp"))
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            connection = await aiormq.connect(amqp_url(stack, ADMIN))
            await connection.close()
    except (AMQPError, OSError) as error:
        raise NotReadyError(f"no AMQP login: {error}") from error
