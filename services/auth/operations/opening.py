"""Opens what commands stand on: the database and the outbox, no listener."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from libs.chassis.bus import bus_settings
from libs.chassis.mongo import open_mongo
from libs.crypto import KeyRing
from libs.events import EventBus
from libs.events.rabbitmq import open_bus
from libs.kernel import new_id
from services.auth.repository import (
    EmailVault,
    MongoErasureRepository,
    MongoUserRepository,
)
from services.auth.settings import AuthSettings

if TYPE_CHECKING:  # the driver stays in the adapters; this is its name alone
    from pymongo.asynchronous.database import AsyncDatabase


@dataclass(frozen=True)
class Opened:
    """What a command works with."""

    database: "AsyncDatabase[dict[str, Any]]"
    bus: EventBus
    users: MongoUserRepository
    erasures: MongoErasureRepository


@asynccontextmanager
async def open_stores(settings: AuthSettings) -> AsyncIterator[Opened]:
    """Open them; events of a command leave through the service's outbox."""
    # A name of its own: the service's instance owns its queues and its relay.
    own = settings.model_copy(update={"instance_id": f"command-{new_id()[-12:]}"})
    ring = KeyRing.from_file(settings.storage_keys_file)
    async with (
        open_mongo(settings) as database,
        open_bus(bus_settings(own), database) as bus,
    ):
        users = MongoUserRepository(database, EmailVault(ring))
        erasures = MongoErasureRepository(database, ring)
        yield Opened(database, bus, users, erasures)
