"""The conformance suite on RabbitMQ and MongoDB, with services' own rights."""

import pytest

from tests.integration.events.conformance import BusConformance
from tests.integration.events.conformance_frames import FrameConformance

pytestmark = pytest.mark.integration


class TestRabbitBus(BusConformance):
    """The same promises as in memory."""


class TestRabbitFrames(FrameConformance):
    """The same promises about frames."""
