"""The bus on RabbitMQ; nothing outside this package and topology speaks AMQP."""

from libs.events.rabbitmq.bus import RabbitBus, open_bus
from libs.events.settings import BusSettings

__all__ = ["BusSettings", "RabbitBus", "open_bus"]
