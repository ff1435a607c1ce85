"""The stack's servers for the benchmark: a place of its own, gone afterwards.

A virtual host and an account on RabbitMQ and a database on MongoDB, made by the stack's
administrators. What the stack itself has there is not touched.
"""

import asyncio
import base64
import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from pymongo import AsyncMongoClient

from deploy.embedded.layout import Stack
from deploy.embedded.passwords import ADMIN, Passwords
from deploy.embedded.servers.mongodb import admin_url
from deploy.embedded.servers.rabbitmq import amqp_url

DATABASE = "bench_events"
_NAME = "bench-events"
_REST_SECONDS = 30.0
_ALL = {"configure": ".*", "write": ".*", "read": ".*"}


@dataclass(frozen=True)
class Place:
    """Where the cells work, and how the broker is.

    Attributes:
        admin_amqp_url: The stack's administrator, on the benchmark's virtual host.
        service_amqp_url: An account with a service's rights, no more.
        management_url: The management API, as administrator.
        mongo_url: MongoDB's administrator.
        database: The benchmark's own.
        servers: Pids of the servers, by name.
        management: Calls the management API.
    """

    admin_amqp_url: str
    service_amqp_url: str
    management_url: str
    mongo_url: str
    database: str
    servers: dict[str, int]
    management: "_Management" = field(repr=False)

    async def rest(self) -> None:
        """Wait until the broker has no memory alarm, or 30 s.

        What a fast cell wrote is still in its log; the alarm would block the next one.
        """
        deadline = time.monotonic() + _REST_SECONDS
        while time.monotonic() < deadline:
            # Right after its start the broker knows nothing of itself yet.
            if self.management("GET", "nodes")[0].get("mem_alarm") is False:
                return
            await asyncio.sleep(0.5)


@asynccontextmanager
async def open_place(
    stack: Stack, service: str, name: str = _NAME
) -> AsyncIterator[Place]:
    """Make host, account and database; what a killed run left is removed first."""
    password = secrets.token_urlsafe(16)
    user, database = user_prefix(name) + service, name.replace("-", "_")
    admin = f"{ADMIN}:{Passwords(stack).of('rabbitmq', ADMIN)}"
    call = _Management(stack.url("rabbitmq_management"), admin)
    host_path, user_path = f"vhosts/{name}", f"users/{user}"
    place = Place(
        admin_amqp_url=f"{amqp_url(stack, ADMIN).rstrip('/')}/{name}",
        service_amqp_url=f"amqp://{user}:{password}@{stack.address('amqp')}/{name}",
        management_url=f"http://{admin}@{stack.address('rabbitmq_management')}",
        mongo_url=admin_url(stack),
        database=database,
        servers=_pids(stack, "rabbitmq", "mongod"),
        management=call,
    )
    async with AsyncMongoClient[dict[str, Any]](place.mongo_url) as client:
        call("DELETE", host_path)
        await client.drop_database(database)
        try:
            call("PUT", host_path, {})
            call("PUT", f"permissions/{name}/{ADMIN}", _ALL)
            call("PUT", user_path, {"password": password, "tags": ""})
            yield place
        finally:
            call("DELETE", host_path)
            call("DELETE", user_path)
            await client.drop_database(database)


def user_prefix(name: str = _NAME) -> str:
    """Return what stands before a service's name in its account's."""
    return f"{name}-"


class _Management:
    def __init__(self, url: str, account: str) -> None:
        self._url = url
        self._account = base64.b64encode(account.encode()).decode()

    def __call__(
        self, method: str, path: str, body: dict[str, Any] | None = None
    ) -> Any:  # noqa: ANN401 - JSON
        """Call the management API; what is gone may be deleted again."""
        request = Request(  # noqa: S310 - the stack's own http address
            f"{self._url}/api/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Basic {self._account}",
                "Content-Type": "application/json",
            },
            method=method,
        )
        try:
            with urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
                content = answer.read()
        except HTTPError as err:
            err.close()
            if method != "DELETE" or err.code != HTTPStatus.NOT_FOUND:
                raise
            return None
        return json.loads(content) if content else None


def _pids(stack: Stack, *names: str) -> dict[str, int]:
    programs = json.loads(stack.state_file.read_text())["programs"]
    return {name: int(programs[name]["pid"]) for name in names}
