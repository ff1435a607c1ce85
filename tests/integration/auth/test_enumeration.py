"""What a stranger learns about who has an account: nothing (EN-1, EN-2, LT-4)."""

import asyncio
import random
import statistics
import time

import aiohttp
import pytest
from pymongo import AsyncMongoClient

from libs.chassis.security import Principal
from libs.kernel import new_id
from tests.integration.auth.conftest import PASSWORD, Client, join, running_auth

pytestmark = pytest.mark.integration

KINDS = ("active", "missing", "locked", "suspended", "unverified", "sso")
MASKED = ("Date", "X-Request-Id", "Traceparent", "X-Trace-Id")
WRONG = "wrong password here"
SAMPLES = 150
LEAST_DIFFERENCE_SECONDS = 0.005
HELD_SECONDS = "0.06"


async def _users(stack):
    client = AsyncMongoClient(stack.admin_mongo_url)
    return client, client["parley_auth"]


@pytest.fixture
async def people(client, mailbox, stack):
    """An address for every state that an account can be in."""
    emails = {kind: f"{kind[:6]:x<6}-{new_id()}@example.test" for kind in KINDS}
    for kind in ("active", "locked", "suspended", "sso"):
        await join(client, mailbox, emails[kind])
    body = {"email": emails["unverified"], "password": PASSWORD, "display_name": "Ann"}
    await client.post("register", body)
    mongo, database = await _users(stack)
    async with mongo:
        for kind in ("suspended", "sso"):
            _, who = await client.login(emails[kind])
            if kind == "suspended":
                change = {"$set": {"status": "suspended"}}
                await database["users"].update_one({"_id": who.user_id}, change)
            else:
                await database["credentials"].delete_one({"_id": who.user_id})
    return emails


def _seen(email, status, text, response):
    headers = {
        name: value
        for name, value in response.headers.items()
        if name.title() not in MASKED
    }
    # Problems name the request; its id has one length.
    masked = [word for word in text.split('"') if len(word) != 32 and len(word) != 36]
    masked = [word.replace(email, "") for word in masked]
    return status, masked, len(text.replace(email, "")), sorted(headers.items())


async def _answer(client, method, path, body, **options):
    headers = client.process.headers(
        options.get("principal"), options.get("address", "10.9.8.7")
    )
    async with client.http.request(
        method, f"{client.process.url}{path}", json=body, headers=headers
    ) as response:
        return _seen(body["email"], response.status, await response.text(), response)


def _cases(email):
    return {
        "register": {"email": email, "password": PASSWORD, "display_name": "Ann"},
        "login": {"email": email, "password": WRONG},
        "forgot": {"email": email},
        "verification": {"email": email},
    }


async def test_en_1_answers_are_alike_for_every_state(client, people):
    """EN-1: status, body, headers and size, whatever the account is."""
    for _ in range(5):
        body = {"email": people["locked"], "password": WRONG}
        await client.post("login", body, address="10.61.0.1")
    for route in _cases(""):
        answers = [
            await _answer(
                client,
                "POST",
                f"/api/v1/auth/{route}",
                _cases(email)[route],
                address=f"10.60.{number}.1",
            )
            for number, email in enumerate(people.values())
        ]
        assert all(answer == answers[0] for answer in answers), (route, answers)


async def test_en_1_throttled_answers_are_alike(client, people):
    """EN-1, LT-1: the 6th failure is the same 429, account or none."""
    answers = []
    for email in people.values():
        body = {"email": email, "password": WRONG}
        for _ in range(5):
            await client.post("login", body, address="10.62.0.1")
        answers.append(
            await _answer(
                client, "POST", "/api/v1/auth/login", body, address="10.62.0.1"
            )
        )
    assert {answer[0] for answer in answers} == {429}
    assert all(answer == answers[0] for answer in answers)


async def test_en_1_invitations_and_new_addresses_are_alike(client, people, ann):
    """EN-1: neither inviting nor changing the address tells whose address it is."""
    _, who = await client.login(ann)
    admin = Principal(who.user_id, who.session_id, ("admin",))
    for method, path, status in (
        ("POST", "/api/v1/invites", 201),
        ("PUT", "/api/v1/me/email", 202),
    ):
        answers = [
            await _answer(client, method, path, {"email": email}, principal=admin)
            for email in people.values()
        ]
        assert {answer[0] for answer in answers} == {status}
        sizes = {(answer[2], str(answer[3])) for answer in answers}
        assert len(sizes) == 1


async def _sprayed(client, number):
    body = {"email": f"{number}-{new_id()}@example.test", "password": WRONG}
    headers = {"X-Forwarded-For": f"10.70.0.{number % 250}"}
    status, _, _ = await client.post(
        "login", body, address="10.63.0.1", headers=headers
    )
    return status


async def test_lt_4_spraying_from_one_address_is_bounded(stack, tmp_path):
    """LT-4: one password at 1,000 accounts: 50 are looked at, whatever is forwarded."""
    with running_auth(stack, tmp_path, AUTH_LOGIN_ADDRESS_FAILURES="50") as process:
        statuses = []
        async with aiohttp.ClientSession() as http:
            client = Client(process, http)
            for first in range(0, 1_000, 50):
                statuses += await asyncio.gather(
                    *(_sprayed(client, number) for number in range(first, first + 50))
                )
    assert statuses.count(401) <= 50
    assert statuses.count(401) + statuses.count(429) == 1_000


async def _timed(client, route, bodies):
    """Return seconds by kind, asked in random order from ever new addresses."""
    order = [
        (kind, body)
        for kind, both in bodies.items()
        for body in both
        for _ in range(SAMPLES // len(both))
    ]
    random.shuffle(order)
    seconds = {kind: [] for kind in bodies}
    for number, (kind, body) in enumerate(order):
        address = f"10.64.{number // 200}.{number % 200}"
        begun = time.perf_counter()
        status, _, _ = await client.post(route, body, address=address)
        seconds[kind].append(time.perf_counter() - begun)
        assert status in (202, 401)
    return seconds.values()


def _differ(one, other):
    """Tell whether medians or ranks tell two samples apart (EN-2)."""
    first, second = statistics.median(one), statistics.median(other)
    allowed = max(0.05 * max(first, second), LEAST_DIFFERENCE_SECONDS)
    larger = sum((a > b) + (a == b) / 2 for a in one for b in other)
    auc = larger / (len(one) * len(other))
    return abs(first - second) > allowed or not 0.40 <= auc <= 0.60


@pytest.mark.parametrize("route", ["login", "forgot"])
async def test_en_2_time_does_not_tell_who_has_an_account(
    stack, tmp_path, mailbox, email, route
):
    """EN-2: 300 interleaved samples in one process; one repeat is allowed."""
    limits = {
        "AUTH_EVEN_ANSWER_SECONDS": HELD_SECONDS,
        "AUTH_ACCOUNT_MAILS_PER_HOUR": "100",
        "AUTH_LOGIN_ACCOUNT_FAILURES_FREE": "100",
        "AUTH_HASHING_THREADS": "1",
    }
    with running_auth(stack, tmp_path, **limits) as process:
        async with aiohttp.ClientSession() as http:
            client = Client(process, http)
            # Four of each: no account meets its own limit of failures or of mails, nor
            # does it in the repeat.
            emails = {"known": [f"{name}-{email}" for name in "abcd"]}
            for address in emails["known"]:
                await join(client, mailbox, address)
            emails["unknown"] = [f"{name}-{email}" for name in "efgh"]
            extra = {"password": WRONG} if route == "login" else {}
            bodies = {
                kind: [{"email": address} | extra for address in addresses]
                for kind, addresses in emails.items()
            }
            if _differ(*await _timed(client, route, bodies)):
                assert not _differ(*await _timed(client, route, bodies))
