"""Settings of a bus, and of the administrator's command line."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path


@dataclass(frozen=True)
class BusSettings:
    """What `libs.events.rabbitmq.open_bus` needs to know.

    Attributes:
        service: Name of the service; prefix of its queues and CloudEvents source.
        instance_id: Unique among the running processes of the service.
        amqp_url: ``amqp://<account>@host:port/vhost`` of the service's account.
        amqp_url_now: Tells it as it stands when a connection is made; None: as above.
        confirm_window: Frames that may wait for the broker's confirm.
        publish_timeout: How long one frame waits for it before it is sent again.
        reconnect_delay: Pause before the next try to connect; half to once of it.
        relay_max_rows: Committed events kept in memory for the relay; above it the
            copies are forgotten and read back from the outbox later.
        relay_max_bytes: The same bound in bytes of encoded events.
        sweep_grace: Age from which a row whose process is gone is swept.
        lease_ttl: How long the sweeper's lease and a relay's heartbeat last.
        park_after: Refusals of one row before its key is parked.
        drain_timeout: How long leaving waits for running handlers, then again for
            what the relay still holds.
        consumer_grace: A subscription without a consumer for longer is unhealthy.
        give_up_after: A subscription without a consumer for so long calls
            `RabbitBus.on_given_up`, whose callback may end the process so that it is
            started anew; None never does.
        live_max_length: Frames the broker keeps for a live queue before it drops
            the oldest.
    """

    service: str
    instance_id: str
    amqp_url: str = field(repr=False)
    amqp_url_now: Callable[[], str] | None = field(default=None, repr=False)
    confirm_window: int = 128
    publish_timeout: timedelta = timedelta(seconds=5)
    reconnect_delay: timedelta = timedelta(seconds=1)
    relay_max_rows: int = 20_000
    relay_max_bytes: int = 32 * 1024 * 1024
    sweep_grace: timedelta = timedelta(seconds=5)
    lease_ttl: timedelta = timedelta(seconds=6)
    park_after: int = 8
    drain_timeout: timedelta = timedelta(seconds=10)
    consumer_grace: timedelta = timedelta(seconds=5)
    give_up_after: timedelta | None = None
    live_max_length: int = 10_000


@dataclass(frozen=True)
class AdminSettings:
    """Where the command line finds the broker, as administrator.

    Attributes:
        amqp_url: Account with all rights on the virtual host.
        management_url: ``http://<account>@host:port`` of the management API.
        mongo_url: One service's database, its name in the path.
    """

    amqp_url: str = field(default="", repr=False)
    management_url: str = field(default="", repr=False)
    mongo_url: str = field(default="", repr=False)

    @classmethod
    def from_environment(cls) -> "AdminSettings":
        """Read EVENTS_ADMIN_AMQP_URL, EVENTS_MANAGEMENT_URL and EVENTS_MONGO_URL.

        From the environment, or from files of these names in lower case in the folder
        that PARLEY_SECRETS_DIR names.
        """
        return cls(
            amqp_url=_read("EVENTS_ADMIN_AMQP_URL"),
            management_url=_read("EVENTS_MANAGEMENT_URL"),
            mongo_url=_read("EVENTS_MONGO_URL"),
        )


def _read(name: str) -> str:
    environment = os.environ  # noqa: TID251 - this is the settings module
    if value := environment.get(name):
        return value
    folder = environment.get("PARLEY_SECRETS_DIR")
    file = Path(folder, name.lower()) if folder else None
    return file.read_text("utf-8").strip() if file and file.is_file() else ""
