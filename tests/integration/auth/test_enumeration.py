"""What a stranger learns about who has an account: nothing (EN-1, EN-2, LT-4)."""

import asyncio
import itertools
import math
import random
import statistics
import time
from contextlib import ExitStack

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
NOISY_MAX = 2


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
    """Return seconds by kind, asked in pairs of both kinds, from ever new addresses.

    In a pair chance says which comes first: what else runs on the machine meets both.
    """
    seconds = {kind: [] for kind in bodies}
    numbers = itertools.count()
    for sample in range(SAMPLES):
        for kind in random.sample(list(bodies), len(bodies)):
            number, body = next(numbers), bodies[kind][sample % len(bodies[kind])]
            address = f"10.64.{number // 200}.{number % 200}"
            begun = time.perf_counter()
            status, _, _ = await client.post(route, body, address=address)
            seconds[kind].append(time.perf_counter() - begun)
            assert status in (202, 401)
    return seconds.values()


def _allowed(one, other):
    """Return by how much two medians may differ (EN-2)."""
    longer = max(statistics.median(one), statistics.median(other))
    return max(0.05 * longer, LEAST_DIFFERENCE_SECONDS)


def _differ(one, other):
    """Tell whether medians or ranks tell two samples apart (EN-2)."""
    apart = abs(statistics.median(one) - statistics.median(other))
    larger = sum((a > b) + (a == b) / 2 for a in one for b in other)
    auc = larger / (len(one) * len(other))
    return apart > _allowed(one, other) or not 0.40 <= auc <= 0.60


def _are_noise(one, other):
    """Tell whether the machine was too busy to judge: medians of one kind differ so."""
    low, _, high = statistics.quantiles([*one, *other])
    error_of_a_median = 1.25 * (high - low) / 1.35 / math.sqrt(len(one))
    return 3 * math.sqrt(2) * error_of_a_median > _allowed(one, other)


async def _tells(client, mailbox, route, email):
    """Return whether a route's time tells twice who has an account."""
    # Eight of each: no account meets its own limit of failures or of mails, nor does it
    # in the last repeat.
    emails = {"known": [f"{name}-{route}-{email}" for name in "abcdefgh"]}
    for address in emails["known"]:
        await join(client, mailbox, address)
    emails["unknown"] = [f"{name}-{route}-{email}" for name in "ijklmnop"]
    extra = {"password": WRONG} if route == "login" else {}
    bodies = {
        kind: [{"email": address} | extra for address in addresses]
        for kind, addresses in emails.items()
    }
    judged = 0
    for measured in range(1, 5):
        samples = await _timed(client, route, bodies)
        if not _differ(*samples):
            return False
        judged += measured > NOISY_MAX or not _are_noise(*samples)
        if judged == 2:
            break
    return True


@pytest.mark.timeout(400)
async def test_en_2_time_does_not_tell_who_has_an_account(
    stack, tmp_path, mailbox, email
):
    """EN-2: 300 interleaved samples a route in one process; one repeat is allowed.

    Each route has its own process, and they are measured beside each other: what one
    costs the other falls on both kinds of its samples alike. Twice at most a difference
    is not counted that the machine's own noise explains.
    """
    limits = {
        "AUTH_EVEN_ANSWER_SECONDS": HELD_SECONDS,
        "AUTH_ACCOUNT_MAILS_PER_HOUR": "100",
        "AUTH_LOGIN_ACCOUNT_FAILURES_FREE": "100",
        "AUTH_HASHING_THREADS": "1",
    }
    routes = ("login", "forgot")
    with ExitStack() as running:
        processes = [
            running.enter_context(running_auth(stack, tmp_path, **limits))
            for _ in routes
        ]
        async with aiohttp.ClientSession() as http:
            told = await asyncio.gather(
                *(
                    _tells(Client(process, http), mailbox, route, email)
                    for process, route in zip(processes, routes, strict=True)
                )
            )
    assert dict(zip(routes, told, strict=True)) == dict.fromkeys(routes, False)
