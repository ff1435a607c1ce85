"""A client that does not read: what it costs is bounded, and soon it is sent away."""

import asyncio
import json
import re
import struct
import time
import urllib.request

import pytest

from tests.integration.chat.test_raw_sockets import CLOSE, TEXT, RawSocket, opened

pytestmark = pytest.mark.integration
assert opened  # a fixture

BODY = "x" * 16_000
EVICTED_SECONDS = 5.0
_UNREAD = re.compile(
    r'^chat_socket_closed_total\{reason="(?:unread|stalled)"\} (\S+)', re.MULTILINE
)


def evictions(process) -> float:
    """Return how many clients a process sent away since they did not read."""
    url = f"{process.url}/metrics"
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own process
        return sum(map(float, _UNREAD.findall(answer.read().decode())))


async def until_evicted(process, before: float, since: float) -> float:
    """Return after how many seconds one more client was sent away."""
    while await asyncio.to_thread(evictions, process) <= before:
        assert time.monotonic() - since < 20, "nobody was sent away"
        await asyncio.sleep(0.02)
    return time.monotonic() - since


@pytest.fixture
async def slow_reader(opened, processes, people, open_group):
    """Return a member who subscribed and stopped reading, and one who sends."""
    ada, grace = await people(2)
    group = await open_group([ada, grace])
    raw = await opened(processes[0])
    await raw.admitted(grace)
    subscribe = json.dumps({"conversation_ids": [group]})
    raw.send(f'421["conversation.subscribe",{subscribe}]'.encode())
    await raw.packet("431")
    await ada.connect(processes[0], group)
    raw._reader._transport.pause_reading()
    return raw, ada, group


async def flood(ada, group: str, count: int) -> None:
    """Send so many long messages, ten at a time."""
    for _ in range(count // 10):
        answers = await asyncio.gather(*(ada.send(group, BODY) for _ in range(10)))
        assert all("message" in answer for answer in answers)


async def rest_of(raw: RawSocket) -> tuple[list[str], int]:
    """Read to the close frame; return the packets before it and its code."""
    packets = []
    while True:
        kind, payload = await raw.frame()
        if kind == CLOSE:
            return packets, int(struct.unpack("!H", payload[:2])[0])
        assert kind == TEXT
        packets.append(payload.decode())


async def test_who_reads_again_in_time_is_told_to_resync(
    slow_reader, processes
) -> None:
    """What was written comes, then `resync`, then the close: nothing in between."""
    raw, ada, group = slow_reader
    before, since = evictions(processes[0]), time.monotonic()
    flooding = asyncio.create_task(flood(ada, group, 200))
    await until_evicted(processes[0], before, since)
    raw._reader._transport.resume_reading()
    packets, code = await rest_of(raw)
    assert json.loads(packets[-2][2:])[0] == "resync"
    resync = json.loads(packets[-2][2:])[1]
    assert resync["reason"] == "slow"
    assert 0 < resync["reconnect_after_seconds"] <= 1
    assert packets[-1] == "41"
    assert code == 1013
    seqs = [
        json.loads(packet[2:])[1]["message"]["seq"]
        for packet in packets
        if packet.startswith('42["message.sent"')
    ]
    assert seqs == list(range(1, len(seqs) + 1))
    await flooding
    await ada.until("message.sent", 200)


async def test_who_never_reads_is_cut_within_five_seconds(
    slow_reader, processes
) -> None:
    """The connection is reset, so that the kernel keeps nothing for it either."""
    raw, ada, group = slow_reader
    before = evictions(processes[0])
    await flood(ada, group, 40)  # more than the buffers hold, less than the budget
    since = time.monotonic()
    await until_evicted(processes[0], before, since)
    socket = raw._writer.get_extra_info("socket")
    while is_established(socket):
        assert time.monotonic() - since < EVICTED_SECONDS
        await asyncio.sleep(0.02)
    assert "message" in await ada.send(group, "still here")


def is_established(socket) -> bool:
    """Tell whether the peer holds the connection, without reading from it."""
    state = socket.getsockopt(6, 11, 8)[0]  # TCP_INFO of IPPROTO_TCP
    return state == 1
