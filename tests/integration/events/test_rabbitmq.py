"""The conformance suite on RabbitMQ and MongoDB, with services' own rights."""

import pytest

from tests.integration.events.conformance import BusConformance
from tests.integration.events.conformance_delivery import DeliveryConformance
from tests.integration.events.conformance_frames import FrameConformance
from tests.integration.events.conformance_order import OrderConformance

pytestmark = pytest.mark.integration


class TestRabbitBus(BusConformance):
    """The same promises as in memory."""


class TestRabbitFrames(FrameConformance):
    """The same promises about frames."""


class TestRabbitOrder(OrderConformance):
    """The same promises about order."""


class TestRabbitDelivery(DeliveryConformance):
    """The same promises about deliveries."""
