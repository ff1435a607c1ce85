"""Answers on their way to clients that take their time."""

import asyncio

import pytest

from libs.chassis.asgi import Message
from services.gateway.domain.errors import AnswerUnreadError
from services.gateway.domain.route import Route
from services.gateway.proxy.answer import Answer
from services.gateway.proxy.exchange import Exchange
from services.gateway.proxy.relay import relay_response
from services.gateway.proxy.trust import Caller

ROUTE = Route(prefix="/api/v1/media", methods=("GET",), service="media")
SIZE = 100_000


class SlowClient:
    """Takes each part of a body after so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.taken = 0

    async def send(self, message: Message) -> None:
        """Take a message."""
        if message.get("more_body"):
            await asyncio.sleep(self._seconds)
        self.taken += len(message.get("body", b""))


async def relayed(client: SlowClient) -> Exchange:
    """Relay a large answer to a client."""
    answer = Answer(lambda: None, is_bodiless=False)
    answer.begin(200, [], SIZE)
    answer.add(b"x" * SIZE)
    answer.complete()
    caller = Caller("192.0.2.1", "192.0.2.1", None)
    exchange = Exchange("GET", caller, "0123456789abcdef")
    await relay_response(answer, ROUTE, exchange, client.send)
    return exchange


@pytest.fixture(autouse=True)
def _short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.gateway.proxy.relay._READ_SECONDS", 0.1)
    monkeypatch.setattr(
        "services.gateway.proxy.relay._LEAST_BYTES_PER_SECOND", 10_000_000
    )


async def test_ht_2_who_takes_an_answer_too_slowly_is_left() -> None:
    """HT-2: or a few readers would hold places and connections for ever."""
    client = SlowClient(seconds=60)
    async with asyncio.timeout(10):
        with pytest.raises(AnswerUnreadError):
            await relayed(client)
    assert client.taken == 0


async def test_who_takes_an_answer_in_time_gets_all_of_it() -> None:
    """Slow is not too slow."""
    client = SlowClient(seconds=0.001)
    exchange = await relayed(client)
    assert client.taken == exchange.sent_bytes == SIZE
