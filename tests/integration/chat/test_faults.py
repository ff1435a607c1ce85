"""Chat while the broker is away or hangs, and while it stops itself."""

import asyncio
import contextlib
import os
import signal

import pytest
import socketio

from libs.kernel import new_id
from tests.integration.chat.conftest import ChatProcess
from tests.support.firing import Watched, assert_fires, look_at

pytestmark = pytest.mark.integration
LOST = (socketio.exceptions.SocketIOError, ConnectionError, TimeoutError)


@pytest.fixture
def broker_away(auth_process):
    """Stop RabbitMQ for a test, and start it whatever happens."""

    @contextlib.asynccontextmanager
    async def away():
        await asyncio.to_thread(auth_process.stop, "rabbitmq")
        try:
            yield
        finally:
            await asyncio.to_thread(auth_process.start, "rabbitmq")

    return away


async def test_without_the_broker_messages_still_arrive(
    processes, people, open_group, broker_away
) -> None:
    """Polling takes over within seconds; order and revisions are the same."""
    ada, grace = await people(2)
    group = await open_group([ada, grace])
    await ada.connect(processes[0], group)
    await grace.connect(processes[1], group)
    watched = Watched("chat", f"{processes[0].url}/metrics")
    await look_at(watched)
    async with broker_away():
        for number in range(3):
            await ada.send(group, f"{number}")
        live = await grace.until("message.sent", 3)
        await ada.emit("typing.start", {"conversation_id": group})
        await grace.until("typing.started")
        path = f"/{group}/members/{grace.user_id}"
        status, _ = await ada.ask(processes[0], "DELETE", path)
        assert status == 204
        await asyncio.sleep(0.2)
        answer = await grace.emit("typing.start", {"conversation_id": group})
        assert answer["error"]["code"] == "conversation_not_found"
        await ada.emit("typing.start", {"conversation_id": group})
        await asyncio.sleep(0.3)
        assert len(grace.live["typing.started"]) == 1
        await look_at(watched)
    assert_fires("EventsNoConsumer", watched)
    assert [event["revision"] for event in live] == [2, 3, 4]
    await ada.send(group, "after")
    await ada.until("message.sent", 4)
    assert len(grace.live["message.sent"]) == 3


async def test_a_database_that_hangs_is_alerted(
    auth_process, processes, people, open_group
) -> None:
    """Acknowledgements and answers come late; afterwards all is as before."""
    ada, grace = await people(2)
    group = await open_group([ada, grace])
    await ada.connect(processes[0], group)
    watched = Watched("chat", f"{processes[0].url}/metrics")
    await look_at(watched)
    pid = auth_process.pid("mongod")
    os.kill(pid, signal.SIGSTOP)
    try:
        late = [
            asyncio.create_task(ada.send(group, "late")),
            asyncio.create_task(ada.ask(processes[0], "GET", f"/{group}")),
        ]
        await asyncio.sleep(3)  # the fault itself
    finally:
        os.kill(pid, signal.SIGCONT)
    await asyncio.gather(*late)
    await look_at(watched)
    assert "message" in await ada.send(group, "in time")
    assert_fires("ChatSlowToAcknowledge", watched)
    assert_fires("ServiceSlow", watched)


async def test_a_stopping_process_sends_its_sockets_away(
    auth_process, people, processes, open_group
) -> None:
    """At SIGTERM what was taken is answered, resync says when to come back."""
    ada, grace = await people(2)
    group = await open_group([ada, grace])
    third = ChatProcess(auth_process, 2)
    await asyncio.to_thread(third.start)
    acked: dict[str, int] = {}
    try:
        await ada.connect(third, group)
        sending = [
            asyncio.create_task(_send(ada, group, new_id(), acked)) for _ in range(50)
        ]
        await asyncio.sleep(0.05)
    finally:
        stopping = asyncio.create_task(asyncio.to_thread(third.stop))
        (resync,) = await ada.until("resync")
        code = await stopping
    await asyncio.gather(*sending)
    assert code == 0, third.log.read_text()[-2000:]
    assert resync["reason"] == "shutdown"
    assert resync["reconnect_after_seconds"] > 0
    status, page = await grace.ask(processes[0], "GET", f"/{group}/messages?limit=200")
    assert status == 200
    stored = {m["client_message_id"]: m["seq"] for m in page["items"]}
    assert stored == acked


async def _send(member, group: str, key: str, acked: dict[str, int]) -> None:
    """Send a message; keep its seq if it is acknowledged."""
    with contextlib.suppress(*LOST):
        answer = await member.send(group, "x", key)
        if "message" in answer:
            acked[key] = answer["message"]["seq"]
