"""A suspicion that arises while the relay reads its outbox is kept."""

from datetime import timedelta

import pytest
from pymongo.errors import NetworkTimeout

from libs.events import BusSettings
from libs.events.frames import Row
from libs.events.outbox import Relay


class SlowStore:
    """An outbox with nothing in it, whose reading can be watched or broken."""

    relay_id = "relay-1"

    def __init__(self) -> None:
        self.while_reading = lambda: None

    async def read(self, owners, *, older_than, blocked):
        """Read no rows, and let something happen meanwhile."""
        self.while_reading()
        for row in ():
            yield row


@pytest.fixture
def store() -> SlowStore:
    """Return an empty outbox."""
    return SlowStore()


@pytest.fixture
def relay(store) -> Relay:
    """Return a relay that publishes nothing."""
    settings = BusSettings(service="chat", instance_id="chat-1", amqp_url="")
    return Relay(store, None, settings)


async def refill(relay: Relay) -> None:
    """Read the relay's own rows."""
    await relay.refill(["relay-1"], older_than=None)


async def test_a_refill_answers_an_earlier_suspicion(relay) -> None:
    """What was suspected before the reading is settled by it."""
    relay.suspect()
    await refill(relay)
    assert not relay.needs_refill


async def test_a_suspicion_during_the_refill_is_kept(relay, store) -> None:
    """The reading may have been too early for it."""
    store.while_reading = relay.suspect
    await refill(relay)
    assert relay.needs_refill


async def test_what_commits_during_a_long_refill_overtakes_nothing(store) -> None:
    """What its memory does not hold is forgotten and read later, never put in front."""
    settings = BusSettings("chat", "chat-1", "", relay_max_rows=2)
    relay = Relay(store, None, settings)
    rows = [Row(f"id-{n}", "a.b", "a.events", "k", n, b"{}") for n in range(4)]

    def commit() -> None:
        for row in rows:
            relay.enqueue([row])

    store.while_reading = commit
    await refill(relay)
    assert len(relay) == 0
    assert relay.needs_refill


async def test_a_broken_refill_is_tried_again(relay, store) -> None:
    """A database that goes away meanwhile leaves the suspicion standing."""

    def cut() -> None:
        raise NetworkTimeout("cut")

    relay.suspect()
    store.while_reading = cut
    with pytest.raises(NetworkTimeout):
        await relay.refill(["relay-1"], older_than=timedelta(0))
    assert relay.needs_refill
