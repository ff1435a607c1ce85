"""Acceptance 6: bad input gets 4xx or an error acknowledgement, and hurts nothing."""

import asyncio
import io
import json
import time
from typing import Any

import aiohttp
import pytest

from scripts.demo.client import Person
from tests.e2e.bad_input_table import (
    RAW_FRAMES,
    REQUESTS,
    SOCKET_EVENTS,
    BadRequest,
)

pytestmark = pytest.mark.e2e


def fill(value: Any, names: dict[str, str]) -> Any:
    """Replace ``{name}`` in every string of a JSON value."""
    if isinstance(value, str):
        for name, text in names.items():
            value = value.replace("{" + name + "}", text)
        return value
    if isinstance(value, dict):
        return {key: fill(inner, names) for key, inner in value.items()}
    if isinstance(value, list) and len(value) < 100:
        return [fill(inner, names) for inner in value]
    return value


async def send(
    person: Person, bad: BadRequest, names: dict[str, str]
) -> tuple[int, str, bytes]:
    """Send one bad request; return status, content type and body."""
    headers = dict(bad.headers)
    if bad.is_signed_in:
        headers["Authorization"] = f"Bearer {person.access_token}"
    path = fill(bad.path, names)
    url = person.edge_url + (path if path.startswith("/") else f"/api/v1/{path}")
    if bad.body is None:
        content = None
    elif isinstance(bad.body, bytes):
        content = bad.body
    else:
        content = json.dumps(fill(bad.body, names)).encode()
    if content is not None:
        headers.setdefault("Content-Type", "application/json")
    stream = None if content is None else io.BytesIO(content)
    target = aiohttp.client.URL(url, encoded=True)
    timeout = aiohttp.ClientTimeout(total=20)
    async with (
        aiohttp.ClientSession(timeout=timeout) as http,
        http.request(bad.method, target, data=stream, headers=headers) as answer,
    ):
        return answer.status, answer.content_type, await answer.read()


def test_the_table_is_long_enough() -> None:
    """The issue asks for sixty malformed requests and events at least."""
    assert len(REQUESTS) >= 60
    assert len(SOCKET_EVENTS) + len(RAW_FRAMES) >= 50


async def test_every_bad_request_gets_a_problem(neighbours, house) -> None:
    """Each bad request is answered by a 4xx problem document with a code."""
    restarts = house.restarts()
    failures = []
    for bad in REQUESTS:
        status, content_type, body = await send(neighbours.ada, bad, neighbours.names)
        problem = json.loads(body) if content_type.endswith("json") and body else {}
        if (
            status not in bad.statuses
            or content_type != "application/problem+json"
            or not problem.get("code")
            or b"Traceback" in body
        ):
            failures.append((bad.name, status, content_type, body[:200]))
    assert failures == []
    assert house.restarts() == restarts


async def test_every_bad_socket_event_gets_an_error(neighbours, house) -> None:
    """Each bad event is acknowledged with an error code on a socket that lives on."""
    restarts = house.restarts()
    failures = []
    ada = neighbours.ada
    await ada.come_online(neighbours.names["group"])
    for event, payload in SOCKET_EVENTS:
        answer = await ada.emit(event, fill(payload, neighbours.names))
        code = answer.get("error", {}).get("code") if isinstance(answer, dict) else None
        errors = answer.get("errors") if isinstance(answer, dict) else None
        if not (code or errors):
            failures.append((event, payload, answer))
        await asyncio.sleep(0.11)  # the socket's own budget is 10 events a second
    assert failures == []
    assert "conversations" in await ada.emit(
        "conversation.subscribe", {"conversation_ids": [neighbours.names["group"]]}
    )
    await ada.go_away()
    assert house.restarts() == restarts


async def ends_its_socket(
    http: aiohttp.ClientSession, address: str, frame: str | bytes
) -> None:
    """Send a frame on a socket of its own, which is closed then or for no token."""
    patience = aiohttp.ClientWSTimeout(ws_close=5)
    async with http.ws_connect(address, timeout=patience) as raw:
        await raw.receive(timeout=10)
        if isinstance(frame, bytes):
            await raw.send_bytes(frame)
        else:
            await raw.send_str(frame)
        deadline = time.monotonic() + 20
        while not raw.closed and time.monotonic() < deadline:
            await raw.receive(timeout=20)
        assert raw.closed, f"{frame!r} left an unauthenticated socket open"


async def test_raw_frames_close_at_most_their_own_socket(neighbours, house) -> None:
    """Garbage below the Socket.IO protocol ends its connection and nothing else."""
    restarts = house.restarts()
    address = f"{house.edge_url}/socket.io/?EIO=4&transport=websocket"
    async with aiohttp.ClientSession() as http, asyncio.TaskGroup() as tasks:
        for frame in RAW_FRAMES:
            tasks.create_task(ends_its_socket(http, address, frame))
    await neighbours.ada.come_online(neighbours.names["group"])
    await neighbours.ada.go_away()
    assert house.restarts() == restarts
