"""What the routing table says beside where a request goes."""

import asyncio
import json

import pytest

pytestmark = pytest.mark.integration

HANG = "/api/v1/media/slow/hang"
READ = "/api/v1/conversations/echo"
SEARCH = "/api/v1/conversations/channels"
PROJECTS = "/api/v1/projects"


@pytest.mark.parametrize(
    ("forwarded", "status"),
    [
        ("192.0.2.5", 200),
        ("192.0.2.66", 403),
        ("198.51.100.1", 403),
        ("192.0.2.5, 198.51.100.1", 403),
        ("nonsense", 403),
    ],
)
async def test_a_route_is_served_to_its_networks(gateway, forwarded, status) -> None:
    """RL-5: by the address that the edge saw, whatever the client claims."""
    got, _, body = await gateway.ask(
        "GET", "/api/v1/media/office/echo", headers={"X-Forwarded-For": forwarded}
    )
    assert got == status
    if status == 403:
        assert json.loads(body)["code"] == "network_refused"


async def test_another_version_is_mapped_on_the_way(gateway) -> None:
    """Path and headers, there and back."""
    _, sent, body = await gateway.ask(
        "GET",
        "/api/v2/files/echo?a=1",
        headers={"Accept-Language": "de", "Accept-Version": "9"},
    )
    arrived = json.loads(body)
    headers = dict(arrived["headers"])
    assert arrived["target"] == "/api/v1/media/echo?a=1"
    assert headers["accept-version"] == "1"
    assert "accept-language" not in headers
    assert sent.getall("Cache-Control") == ["private"]
    _, sent, _ = await gateway.ask("GET", "/api/v2/files/chatty")
    assert "ETag" not in sent


@pytest.mark.parametrize("path", ["echo", "problem?status=409", "close"])
async def test_a_deprecated_route_says_so(gateway, path) -> None:
    """RFC 9745, RFC 8594: in answers and in errors, the gateway's own too."""
    _, headers, _ = await gateway.ask("GET", f"/api/v1/media/old/{path}")
    assert headers["Deprecation"] == "@1796083200"
    assert headers["Sunset"] == "Wed, 01 Dec 2027 00:00:00 GMT"
    assert headers["Link"] == '</api/v2/files>; rel="successor-version"'


async def test_server_timing_tells_where_the_time_went(gateway) -> None:
    """A slow service is not the gateway; nothing of ours has a name in it."""
    path = "/api/v1/conversations/slow?seconds=0.2"
    _, headers, _ = await gateway.ask("GET", path)
    parts = (part.split(";dur=") for part in headers["Server-Timing"].split(", "))
    spent = {name: float(milliseconds) for name, milliseconds in parts}
    assert spent.keys() == {"total", "limits", "auth", "upstream"}
    assert spent["total"] >= spent["upstream"] >= 200
    assert spent["total"] >= sum(spent.values()) - spent["total"] - 1


async def test_ht_2_slow_bodies_of_one_address_take_nobodys_place(crowded) -> None:
    """HT-2: twelve of twenty places for an address, and the others go on."""
    token = crowded.tokens.access()
    head = (
        f"POST {READ} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        "Content-Length: 100\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n"
    ).encode()
    slow = [await _sent(crowded.port, head) for _ in range(8)]
    slow += [
        await _sent(crowded.port, head.replace(b"conversations", b"media"))
        for _ in range(4)
    ]
    try:
        async with asyncio.timeout(10):
            while await crowded.metric("gateway_requests_under_way") < 12:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        answers = [
            await crowded.ask("GET", PROJECTS, headers={"X-Forwarded-For": address})
            for address in ("192.0.2.7", "192.0.2.8")
        ]
    finally:
        for writer in slow:
            writer.close()
            await writer.wait_closed()
    (refused, headers, body), (served, _, _) = answers
    assert (refused, json.loads(body)["code"]) == (429, "too_many_at_once")
    assert headers["Retry-After"] == "1"
    assert served == 200


async def _sent(port: int, head: bytes) -> asyncio.StreamWriter:
    """Send the head of a request whose body does not come."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head)
    return writer


async def test_what_can_wait_is_refused_first(crowded) -> None:
    """Twenty places: eight for normal requests to one service, ten for all low ones."""
    async with asyncio.TaskGroup() as tasks:
        hanging = [tasks.create_task(crowded.ask("GET", HANG)) for _ in range(8)]
        await crowded.counted("hang", 8)
        status, headers, body = await crowded.ask("GET", HANG)
        assert (status, json.loads(body)["code"]) == (503, "overloaded")
        assert headers["Retry-After"] == "2"
        assert (await crowded.ask("GET", SEARCH))[0] == 200
        hanging += [
            tasks.create_task(crowded.ask("GET", "/api/v1/conversations/hang"))
            for _ in range(2)
        ]
        await crowded.counted("hang", 10)
        status, headers, _ = await crowded.ask("GET", SEARCH)
        assert (status, headers["Retry-After"]) == (503, "5")
        assert (await crowded.ask("POST", READ, json={}))[0] == 200
        for task in hanging:
            task.cancel()
    shed = 'gateway_requests_shed_total{priority="low"}'
    assert await crowded.metric(shed) == 1
    async with asyncio.timeout(10):
        while await crowded.metric("gateway_requests_under_way"):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
