"""A virtual host and a database of their own for each test of the event library.

``EVENTS_TEST_SERVERS="amqp-url management-url mongo-url"`` (administrators) uses
servers that run, instead of the test run's stack.
"""

import asyncio
import os
import secrets
import string
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import aio_pika
import pytest
from pymongo import AsyncMongoClient

from libs.events import BusSettings, Worker
from libs.events.catalog import ConversationRead, MessageDeleted, UserSuspended
from libs.events.names import dead_letter_queue, queue_name
from libs.events.order_book import ParkedKeys
from libs.events.rabbitmq import open_bus
from libs.events.settings import AdminSettings
from libs.events.topology import build_topology
from libs.events.topology.apply import apply_topology
from libs.events.topology.management import Management
from tests.integration.events.conformance import Rig

PASSWORD = "only-for-tests"


@dataclass(frozen=True)
class Servers:
    """Where the servers are, as administrator."""

    amqp_url: str
    management_url: str
    mongo_url: str
    is_own: bool = False


@pytest.fixture(scope="session")
def servers(request) -> Servers:
    """Servers to test on: given ones, or the stack of the test run."""
    given = os.environ.get("EVENTS_TEST_SERVERS")
    if given:
        return Servers(*given.split())
    stack = request.getfixturevalue("stack")
    amqp = urlsplit(stack.admin_amqp_url)
    port = stack.port("rabbitmq_management")
    return Servers(
        stack.admin_amqp_url,
        f"http://{amqp.username}:{amqp.password}@127.0.0.1:{port}",
        stack.admin_mongo_url,
        is_own=True,
    )


class RabbitRig(Rig):
    """Services with their own accounts on one virtual host."""

    def __init__(self, servers, host, client, stack):
        self.servers = servers
        self.host = host
        self.client = client
        self._stack = stack
        self._workers = {}
        self._buses = {}
        self.producer = Worker(
            "producer", emits=[ConversationRead, MessageDeleted, UserSuspended]
        )
        self._management = Management(servers.management_url, host)

    @property
    def admin(self):
        """The administrator's settings, for the virtual host."""
        url = urlsplit(self.servers.amqp_url)
        amqp_url = url._replace(path=f"/{quote(self.host, safe='')}").geturl()
        return AdminSettings(amqp_url, self.servers.management_url)

    @property
    def bus(self):
        """The producer's bus."""
        return self._buses["producer"]

    def settings(self, service, **changes):
        """Return settings of a service's bus, with short times."""
        url = urlsplit(self.servers.amqp_url)
        address = f"{url.hostname}:{url.port}"
        values = {
            "service": service,
            "instance_id": f"{service}-1",
            "amqp_url": f"amqp://{self.user(service)}:{PASSWORD}@{address}"
            f"/{quote(self.host, safe='')}",
            "sweep_grace": timedelta(seconds=1),
            "lease_ttl": timedelta(seconds=1.5),
            "drain_timeout": timedelta(seconds=3),
        }
        return BusSettings(**(values | changes))

    def user(self, service):
        """Name a service's account; users are the broker's, not a host's."""
        return f"{self.host}-{service}"

    def database(self, service):
        """Return a service's database."""
        return self.client[f"{self.host}-{service}"]

    def database_url(self, service):
        """Name a service's database in the administrator's address."""
        url = urlsplit(self.servers.mongo_url)
        query = dict(parse_qsl(url.query)) | {"authSource": "admin"}
        path = f"/{self.database(service).name}"
        return url._replace(path=path, query=urlencode(query)).geturl()

    def worker(self, name="consumer"):
        """Declare a worker."""
        return Worker(name)

    async def open(self, worker, **changes):
        """Apply the topology with this worker too, and open its bus."""
        self._workers[worker.service] = worker
        await self.apply()
        if worker.service not in self._buses:
            self._buses[worker.service] = await self._stack.enter_async_context(
                open_bus(
                    self.settings(worker.service, **changes),
                    self.database(worker.service),
                    worker,
                )
            )
        return self._buses[worker.service]

    async def apply(self):
        """Make users, then everything else, as `make up` does."""
        topology = build_topology(list(self._workers.values()))
        for worker in self._workers.values():
            await self._management._call(
                "PUT",
                f"users/{self.user(worker.service)}",
                {"password": PASSWORD, "tags": ""},
            )
        prefix = f"{self.host}-"
        assert await apply_topology(topology, self.admin, user_prefix=prefix) == []

    @asynccontextmanager
    async def consuming(self, worker, app=None):
        """Run a worker until it consumes."""
        bus = await self.open(worker)
        async with bus.run_worker(worker, app):
            await self.until(lambda: all(bus.health()["subscriptions"].values()))
            yield bus

    @asynccontextmanager
    async def consuming_only(self, worker):
        """Run a worker whose bus is opened without touching other accounts."""
        self._workers.pop("producer")
        async with self.consuming(worker) as bus:
            self._workers["producer"] = self.producer
            yield bus

    async def delete_queue(self, name):
        """Delete a queue as administrator."""
        await self._management._call("DELETE", f"queues/{self.host}/{name}")

    async def redeclare_without_alternate(self, exchange):
        """Let what nobody wants be returned, so that the relay sees a refusal."""
        await self._redeclare(exchange, {})

    async def redeclare_with_alternate(self, exchange):
        """Put an exchange back as the topology has it."""
        await self._redeclare(exchange, {"alternate-exchange": "unroutable"})

    async def _redeclare(self, exchange, arguments):
        async with await aio_pika.connect(self.admin.amqp_url) as connection:
            channel = await connection.channel()
            await channel.exchange_delete(exchange)
            await channel.declare_exchange(
                exchange, "topic", durable=True, arguments=arguments
            )
            await channel.close()

    async def dead_letters(self, worker, name):
        """Take the dead letters off their queue."""
        queue = dead_letter_queue(queue_name(worker.service, name))
        return await self.take(queue)

    async def take(self, queue):
        """Take the headers of everything on a queue."""
        found = []
        async with await aio_pika.connect(self.admin.amqp_url) as connection:
            channel = await connection.channel()
            source = await channel.get_queue(queue)
            while message := await source.get(fail=False):
                found.append(dict(message.headers))
                await message.ack()
            await channel.close()
        return found

    async def take_some(self, queue):
        """Take what is on a queue as soon as there is anything."""
        async with asyncio.timeout(15):
            while not (found := await self.take(queue)):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.05)
        return found

    async def parked(self, worker, key, count):
        """Wait until so many events of a key are parked."""
        rows = self.database(worker.service).ordered_parked
        async with asyncio.timeout(15):
            while await rows.count_documents({"k": key}) != count:  # noqa: ASYNC110 - a database
                await asyncio.sleep(0.05)

    async def release(self, worker, key):
        """Let a key go on, as an operator."""
        keys = ParkedKeys(self.database(worker.service))
        await keys.release(worker.subscriptions[0].name, key)

    async def send_raw(self, exchange, routing_key, body):
        """Publish bytes as administrator."""
        async with await aio_pika.connect(self.admin.amqp_url) as connection:
            channel = await connection.channel()
            target = await channel.get_exchange(exchange)
            await target.publish(aio_pika.Message(body), routing_key)
            await channel.close()

    async def close_connections(self):
        """Close every connection of the virtual host by force.

        The management API hears of a connection only seconds after it was opened.
        """
        async with asyncio.timeout(15):
            while (  # noqa: ASYNC110 - the API tells no event
                len(names := await self._connections()) < 2 * len(self._buses)
            ):
                await asyncio.sleep(0.2)
        for name in names:
            await self._management._call(
                "DELETE", f"connections/{quote(name, safe='')}"
            )

    async def _connections(self):
        found = await self._management._call("GET", "connections")
        return [c["name"] for c in found if c.get("vhost") == self.host]

    async def remove(self):
        """Delete the virtual host, its users and the databases."""
        await self._management._call("DELETE", f"vhosts/{self.host}")
        for service in self._workers:
            await self._management._call("DELETE", f"users/{self.user(service)}")
            await self.client.drop_database(f"{self.host}-{service}")


@asynccontextmanager
async def open_rig(servers):
    """Make a virtual host and databases of their own, with a producer's bus."""
    host = "t" + "".join(secrets.choice(string.ascii_lowercase) for _ in range(8))
    async with (
        AsyncMongoClient(servers.mongo_url, tz_aware=True) as client,
        AsyncExitStack() as stack,
    ):
        rig = RabbitRig(servers, host, client, stack)
        await rig._management._call("PUT", f"vhosts/{host}", {})
        admin = urlsplit(servers.amqp_url).username
        rights = {"configure": ".*", "write": ".*", "read": ".*"}
        await rig._management.put("permissions", admin, rights)
        try:
            bus = await rig.open(rig.producer)
            await rig.until(lambda: bus.health()["publish_connected"])
            yield rig
        finally:
            await stack.aclose()
            await asyncio.sleep(0)
            await rig.remove()


@pytest.fixture
async def rig(servers):
    """A producer on a fresh virtual host, and room for consumers."""
    async with open_rig(servers) as rig:
        yield rig


@pytest.fixture
async def open_rigs(servers):
    """Open so many rigs beside each other; all are removed after the test."""
    async with AsyncExitStack() as stack:
        rigs = []

        async def take(count):
            while len(rigs) < count:
                rigs.append(await stack.enter_async_context(open_rig(servers)))
            return rigs[:count]

        yield take
