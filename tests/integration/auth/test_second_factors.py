"""Second factors on real servers: races, and what lies in the database."""

import asyncio
import json
import time

import pyotp
import pytest
from pymongo import AsyncMongoClient

pytestmark = pytest.mark.integration

ME = "/api/v1/me/mfa"


async def _enrol(client, email):
    """Set up an app; return its seed, the recovery codes, and who is signed in."""
    _, who = await client.login(email)
    status, offer, _ = await client.call("POST", f"{ME}/totp", principal=who)
    assert status == 200, offer
    code = _code(offer["setup_key"])
    status, told, _ = await client.call(
        "POST", f"{ME}/totp/confirm", {"code": code}, principal=who
    )
    assert status == 200, told
    return offer["setup_key"], told["recovery_codes"], who


def _code(seed, *, ahead=0):
    """Return the code of now, or of a step ahead, that auth takes too."""
    return pyotp.TOTP(seed).at(int(time.time()) + ahead * 30)


async def _pending(client, email):
    body = {"email": email, "password": "correct horse battery"}
    status, told, _ = await client.post("login", body)
    assert (status, told["mfa_required"]) == (200, True)
    return told["pending_token"]


async def _race(client, email, proof):
    """Show one proof 50 times at once, for ten sign-ins; return statuses and codes."""
    tokens = [await _pending(client, email) for _ in range(10)] * 5
    shown = proof()
    answers = await asyncio.gather(
        *(
            client.post("mfa/verify", {"pending_token": token} | shown)
            for token in tokens
        )
    )
    return [(status, body.get("code")) for status, body, _ in answers]


async def test_mf_1_of_50_parallel_uses_of_a_code_one_opens_a_session(client, ann):
    """MF-1: whatever the transactions do to each other, one step opens once."""
    seed, _, _ = await _enrol(client, ann)
    answers = await _race(client, ann, lambda: {"totp_code": _code(seed, ahead=1)})
    assert [status for status, _ in answers].count(200) == 1
    assert {code for status, code in answers if status != 200} <= {
        "second_factor_invalid",
        "attempts_throttled",
        "pending_sign_in_invalid",
    }


async def test_mf_5_of_50_parallel_uses_of_a_recovery_code_one_succeeds(client, ann):
    """MF-5: and nine are left."""
    _, codes, who = await _enrol(client, ann)
    answers = await _race(client, ann, lambda: {"recovery_code": codes[0]})
    assert [status for status, _ in answers].count(200) == 1
    _, told, _ = await client.call("GET", ME, principal=who)
    assert told["recovery_codes_left"] == 9


async def test_mf_4_no_seed_and_no_code_lies_in_the_database_or_the_log(client, ann):
    """MF-4: a marker scan of every collection, and of what the process wrote."""
    seed, codes, _ = await _enrol(client, ann)
    token = await _pending(client, ann)
    stack = client.process.stack
    async with AsyncMongoClient(stack.admin_mongo_url) as mongo:
        database = mongo["parley_auth"]
        stored = ""
        for name in await database.list_collection_names():
            stored += json.dumps(
                [document async for document in database[name].find()], default=repr
            )
    written = client.process.log_file.read_text()
    for secret in (seed, token, *codes, *(code.replace("-", "") for code in codes)):
        assert secret not in stored
        assert secret not in written
