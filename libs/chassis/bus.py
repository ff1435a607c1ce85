"""From a service's settings to its event bus's."""

from typing import Protocol

from pydantic import SecretStr

from libs.chassis.live_secrets import live_secret
from libs.chassis.settings import AmqpSettings
from libs.events import BusSettings


class BusOwner(Protocol):
    """Settings of a service with a bus: `ServiceSettings` and `AmqpSettings`."""

    @property
    def instance_id(self) -> str:
        """Name of this instance among its siblings."""
        ...

    @property
    def amqp_url(self) -> SecretStr:
        """Connection string with the service's own account."""
        ...

    @classmethod
    def service_name(cls) -> str:
        """Return the service's name, which is its account's too."""
        ...


def bus_settings(settings: BusOwner) -> BusSettings:
    """Return what `open_bus` needs to know of a service."""
    return BusSettings(
        service=settings.service_name(),
        instance_id=settings.instance_id,
        amqp_url=settings.amqp_url.get_secret_value(),
        amqp_url_now=(
            live_secret(settings, "amqp_url")
            if isinstance(settings, AmqpSettings)
            else None
        ),
    )
