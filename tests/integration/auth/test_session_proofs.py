"""Sessions over several auth processes, lost answers, and a loop under load."""

import asyncio
import copy
import statistics
import time
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
import pytest

from tests.integration.auth.conftest import PASSWORD, Client, running_auth
from tests.support.guess_budget import GuessBudget

pytestmark = pytest.mark.integration
WAITING_MAX = 6


@pytest.fixture(scope="module")
def three(stack, auth, tmp_path_factory):
    """Three auth processes on one database; the third lets few sign-ins wait."""
    folder = tmp_path_factory.mktemp("three")
    with (
        running_auth(stack, folder) as second,
        running_auth(
            stack,
            folder,
            AUTH_HASHING_WAITING_MAX=str(WAITING_MAX),
            AUTH_BCRYPT_COST="12",
        ) as third,
    ):
        yield auth, second, third


@pytest.fixture
async def clients(three):
    """A client of each."""
    async with AsyncExitStack() as opened:
        yield [
            Client(process, await opened.enter_async_context(aiohttp.ClientSession()))
            for process in three
        ]


async def test_rt_2_twenty_refreshes_over_three_processes_are_one_family(
    clients, mailbox, ann
):
    """RT-2: one child, no lock-out of the honest client, no false alarm."""
    tokens, who = await clients[0].login(ann)
    body = {"refresh_token": tokens["refresh_token"]}
    answers = await asyncio.gather(
        *(clients[number % 3].post("refresh", body) for number in range(20))
    )
    assert {status for status, _, _ in answers} == {200}
    children = {answer["refresh_token"] for _, answer, _ in answers}
    assert len(children) == 1
    for client in clients:
        status, answer, _ = await client.post(
            "refresh", {"refresh_token": children.pop()}
        )
        assert status == 200
        children.add(answer["refresh_token"])
    status, page, _ = await clients[1].call("GET", "/api/v1/me/sessions", principal=who)
    assert [one["session_id"] for one in page["items"]] == [who.session_id]
    assert "session.reused" not in {event["type"] for event in mailbox.events}


async def test_lt_2_five_of_two_hundred_wrong_logins_reach_the_verifier(
    clients, three, ann
):
    """LT-2: 200 parallel wrong passwords over 3 processes; each log is counted."""
    before = [_refused(process) for process in three]
    body = {"email": ann, "password": "wrong password here"}
    budget = GuessBudget()
    answers = await asyncio.gather(
        *(clients[number % 3].post("login", body) for number in range(200))
    )
    reached = sum(map(_refused, three)) - sum(before)
    statuses = [status for status, _, _ in answers]
    assert reached == statuses.count(401) <= budget.admissible
    assert set(statuses) == {401, 429}


def _refused(process):
    return process.log_file.read_text().count('"sign_in_failed"')


@asynccontextmanager
async def _cut_after_commit(target):
    """A proxy that hands on the request and cuts the connection at the answer."""
    host, port = target.removeprefix("http://").split(":")
    tasks = set()

    async def serve(reader, writer):
        tasks.add(asyncio.current_task())
        from_server, to_server = await asyncio.open_connection(host, port)
        try:
            to_server.write(await reader.read(65_536))
            await from_server.read(1)
        finally:
            to_server.close()
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await asyncio.gather(*tasks)


async def test_rt_3_answer_lost_after_the_commit_is_had_again(client, mailbox, ann):
    """RT-3: the retry gets the same child; once that is used, the old one replays."""
    tokens, who = await client.login(ann)
    body = {"refresh_token": tokens["refresh_token"]}
    async with _cut_after_commit(client.process.url) as url:
        cut = copy.copy(client.process)
        cut.url = url
        with pytest.raises(aiohttp.ClientError):
            await Client(cut, client.http).post("refresh", body)
    first = await client.post("refresh", body)
    again = await client.post("refresh", body)
    assert (first[0], again[0]) == (200, 200)
    assert first[1]["refresh_token"] == again[1]["refresh_token"]
    assert first[1]["refresh_token"] != tokens["refresh_token"]
    child = {"refresh_token": first[1]["refresh_token"]}
    status, _, _ = await client.post("refresh", child)
    assert status == 200
    status, _, _ = await client.post("refresh", body)
    assert status == 401
    await mailbox.seen("session.reused", session_id=who.session_id)


async def test_rt_5_no_part_of_a_refresh_token_is_in_a_log(clients, three, ann):
    """RT-5: good, spent and invented ones; whole or the beginning of their secret."""
    tokens, _ = await clients[0].login(ann)
    text = tokens["refresh_token"]
    _, child, _ = await clients[1].post("refresh", {"refresh_token": text})
    for bad in (text[:-1] + "A", text + "x", child["refresh_token"][5:]):
        await clients[2].post("refresh", {"refresh_token": bad})
        await clients[2].post(f"refresh?refresh_token={bad}", None)
    await clients[0].post("logout", {"refresh_token": text})
    logs = "".join(process.log_file.read_text() for process in three)
    assert "request_handled" in logs or "signed_in" in logs
    for token in (text, child["refresh_token"]):
        _, _, secret, tag = token.split("~")
        assert token not in logs
        assert secret[:12] not in logs
        assert tag[:12] not in logs


async def test_sr_5_own_sessions_are_seen_and_ended(client, ann):
    """SR-5: with device, place and last use; one, or all the others, in a second."""
    tokens = [
        await client.login(ann, address=f"10.0.0.{number}") for number in range(3)
    ]
    _, who = tokens[0]
    _, page, _ = await client.call("GET", "/api/v1/me/sessions", principal=who)
    assert [(one["device_name"], one["client_address"]) for one in page["items"]] == [
        ("test", f"10.0.0.{number}") for number in range(3)
    ]
    assert len({one["session_id"] for one in page["items"]}) == 3
    status, _, _ = await client.call("DELETE", "/api/v1/me/sessions", principal=who)
    assert status == 204
    for number, (held, _) in enumerate(tokens):
        body = {"refresh_token": held["refresh_token"]}
        status, _, _ = await client.post("refresh", body, address="10.0.0.99")
        assert status == (401 if number else 200)
    _, page, _ = await client.call("GET", "/api/v1/me/sessions", principal=who)
    assert [one["client_address"] for one in page["items"]] == ["10.0.0.99"]


async def test_pw_6_fifty_logins_hold_nobody_up(clients, three, ann):
    """PW-6: overflow is refused at once, and other routes go on meanwhile."""
    url = f"{three[2].url}/health/live"
    client = clients[2]

    async def beat():
        async with client.http.get(url) as response:
            assert response.status == 200
            await response.read()

    async def seconds(work):
        began = time.perf_counter()
        result = await work
        return time.perf_counter() - began, result

    idle = [(await seconds(beat()))[0] for _ in range(50)]
    logins = [
        asyncio.create_task(
            seconds(
                client.post(
                    "login",
                    {"email": f"n{number}-{ann}", "password": PASSWORD},
                    address=f"10.1.{number}.1",
                )
            )
        )
        for number in range(50)
    ]
    busy = []
    while not all(login.done() for login in logins):
        busy.append((await seconds(beat()))[0])
    refused = 0
    for took, (status, answer, response) in await asyncio.gather(*logins):
        if status == 503:
            refused += 1
            assert answer["code"] == "sign_in_busy"
            assert int(response.headers["Retry-After"]) >= 1
            # 100 ms on an idle machine; tests share theirs.
            assert took < 2
    assert refused >= 50 - 2 * WAITING_MAX - 8
    assert statistics.median(busy) < max(10 * statistics.median(idle), 0.05)
