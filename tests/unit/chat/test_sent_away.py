"""Why a client is sent away, and what it is told first."""

import asyncio
import json
from datetime import timedelta

import pytest

from libs.kernel import FrozenClock
from services.chat.sockets import gate as gates
from services.chat.sockets.dispatch import Dispatcher, EventRates, Route
from services.chat.sockets.gate import SocketGate
from services.chat.sockets.payloads import SetPresence
from services.chat.sockets.rooms import LocalRooms
from tests.unit.chat.test_sockets import client


@pytest.fixture
def gate(monkeypatch) -> SocketGate:
    """Return a gate that waits for a new token but a moment."""
    monkeypatch.setattr(gates, "EXPIRY_GRACE_SECONDS", 0.05)
    return SocketGate(
        None,
        None,
        LocalRooms(),
        live=None,
        presence=None,
        clock=FrozenClock(),
        sockets_per_user=1,
    )


def told(on) -> list[object]:
    """Return what was written: events as name and payload, else the packet."""
    frames = on.socket.frames
    return [json.loads(f[2:]) if f.startswith(b"42") else f for f in frames]


async def until_closed(on) -> None:
    """Wait until the gate closed a client."""
    async with asyncio.timeout(5):
        while not on.socket.is_closed:  # noqa: ASYNC110 - a recording socket
            await asyncio.sleep(0.01)


async def test_sr_2_who_does_not_renew_an_expired_token_is_closed(gate) -> None:
    """It is asked, has its time, and is told why it has to go."""
    on = client()
    gate.extend(on, 0)
    await until_closed(on)
    asked, why, farewell = told(on)
    assert asked == ["token.expiring", {"renew_within_seconds": 0.05}]
    assert why == ["session.revoked", {"reason": "expired"}]
    assert farewell == b"41"


async def test_who_renews_in_time_stays(gate) -> None:
    """The new token's expiry counts from then on."""
    on = client()
    gate.extend(on, 0)
    async with asyncio.timeout(5):
        while not on.socket.frames:  # noqa: ASYNC110 - a recording socket
            await asyncio.sleep(0.001)
    gate.extend(on, int(FrozenClock().now().timestamp()) + 300)
    await asyncio.sleep(0.1)  # twice the time that was left
    assert not on.socket.is_closed
    on.expiry.cancel()


def test_who_does_not_read_is_told_to_resync(gate) -> None:
    """At once, as far as it is heard: it alone comes back."""
    resync, farewell = gate._evicted()
    name, payload = json.loads(resync[2:])
    assert (name, payload["reason"], farewell) == ("resync", "slow", b"41")
    assert 0 < payload["reconnect_after_seconds"] <= 1


async def test_who_floods_for_three_seconds_is_told_to_come_back_later() -> None:
    """Refusals first, then resync and the close."""

    async def handle(_on, _payload) -> object:
        return {}

    clock, on = FrozenClock(), client()
    routes = {"presence.set": Route(SetPresence, handle)}
    dispatcher = Dispatcher(routes, EventRates(events=(1, 1)), clock)
    for _ in range(3):
        assert not on.socket.is_closed
        for _ in range(5):
            dispatcher.on_event(on, '1["presence.set",{"status":"away"}]')
        await dispatcher.drain()
        clock.advance(timedelta(seconds=1))
    assert on.socket.is_closed
    resync = next(one for one in told(on) if one[0] == "resync")
    assert resync[1] == {"reason": "rate_limited", "reconnect_after_seconds": 10.0}
