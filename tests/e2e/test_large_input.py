"""HT-1 and NI-3 through the edge: JSON that is small on the wire and large to read."""

import gzip
import json
import time

import aiohttp
import psutil
import pytest

pytestmark = pytest.mark.e2e

JSON = {"Content-Type": "application/json"}
PARTS = "".join(
    f'--b\r\nContent-Disposition: form-data; name="f{number}"\r\n\r\nx\r\n'
    for number in range(200)
)
BOMB = gzip.compress(b'{"email":"' + b"a" * 100_000_000 + b'"}', 9)
GROWTH_MAX_BYTES = 60_000_000
LONGEST_SECONDS = 2

LARGE = {
    "33 arrays": (b"[" * 33 + b"]" * 33, JSON, {400, 422}),
    "a thousand arrays": (b"[" * 1_000 + b"]" * 1_000, JSON, {400, 422}),
    "half a million arrays": (b"[" * 500_000 + b"]" * 500_000, JSON, {400, 422}),
    "arrays without end": (b"[" * 1_000_000, JSON, {400, 422}),
    "objects without end": (b'{"a":' * 200_000, JSON, {400, 422}),
    "a hundred thousand keys": (
        json.dumps({f"k{number}": number for number in range(100_000)}).encode()[
            :1_048_576
        ],
        JSON,
        {400, 413, 422},
    ),
    "sixty thousand digits": (b'{"email":' + b"9" * 60_000 + b"}", JSON, {400, 422}),
    "multipart of 200 parts": (
        f"{PARTS}--b--\r\n".encode(),
        {"Content-Type": "multipart/form-data; boundary=b"},
        {400, 415, 422},
    ),
    "multipart without end": (
        PARTS.encode(),
        {"Content-Type": "multipart/form-data; boundary=b"},
        {400, 415, 422},
    ),
    "gzip bomb": (BOMB, JSON | {"Content-Encoding": "gzip"}, {400, 413, 415, 422}),
    "deflate in name alone": (
        b"{}",
        JSON | {"Content-Encoding": "deflate"},
        {400, 415, 422},
    ),
}
PATHS = (
    "/api/v1/auth/password-strength",
    "/api/v1/conversations",
    "/api/v1/projects",
    "/api/v1/media/uploads",
    "/api/v1/devices",
)


def services(house):
    """Return the processes that read what clients send."""
    names = ("gateway", "auth", "chat", "media", "project", "notification")
    programs = {row["name"]: row for row in house.status()["programs"]}
    return {name: psutil.Process(programs[name]["pid"]) for name in names}


async def test_ht_1_ni_3_large_input_is_refused_and_costs_nothing(neighbours, house):
    """HT-1, NI-3: depth, parts, keys and bombs get a 4xx at once, and no memory."""
    watched = services(house)
    before = {name: found.memory_info().rss for name, found in watched.items()}
    restarts = house.restarts()
    bearer = {"Authorization": f"Bearer {neighbours.ada.access_token}"}
    failures = []
    # A refusal may end its connection; the next request is not to meet that end.
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector) as http:
        for path in PATHS:
            for name, (body, headers, statuses) in LARGE.items():
                began = time.monotonic()
                async with http.post(
                    f"{house.edge_url}{path}", data=body, headers=headers | bearer
                ) as answer:
                    text = await answer.text()
                seconds = time.monotonic() - began
                is_right = answer.status in statuses or answer.status == 413
                if not is_right or seconds > LONGEST_SECONDS or "code" not in text:
                    failures.append((path, name, answer.status, seconds, text[:200]))
    assert failures == []
    assert house.restarts() == restarts
    for name, found in watched.items():
        assert found.memory_info().rss - before[name] < GROWTH_MAX_BYTES, name
