"""Deletion on real servers: nothing readable stays, races have one end."""

import asyncio
import json
import os
import sys
from pathlib import Path

import aiohttp
import pytest
from bson.raw_bson import RawBSONDocument

from libs.crypto import KeyRing
from libs.kernel import SystemClock, UserId, new_id
from services.auth.domain.erasure import Erasure
from services.auth.repository import MongoErasureRepository
from tests.integration.auth.conftest import (
    PASSWORD,
    Client,
    join,
    running_auth,
    told_of_deletion,
)

pytestmark = pytest.mark.integration

ME = "/api/v1/me"
HALF_A_SECOND = {
    "AUTH_DELETION_GRACE_DAYS": str(0.5 / 86_400),
    "AUTH_ERASING_SECONDS": "0.1",
}


@pytest.fixture(scope="module")
def erasing(stack, tmp_path_factory):
    """Two processes whose grace is half a second."""
    folder = tmp_path_factory.mktemp("erasing")
    with (
        running_auth(stack, folder, **HALF_A_SECOND) as first,
        running_auth(stack, folder, **HALF_A_SECOND) as second,
    ):
        yield first, second


@pytest.fixture
async def clients(erasing):
    """HTTP clients of both."""
    async with aiohttp.ClientSession() as http:
        yield [Client(process, http) for process in erasing]


async def _command(stack, *words):
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.auth", "erasures", *words),
        env=dict(os.environ) | stack.service_environment("auth"),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await child.communicate()
    return child.returncode, json.loads(out)


async def _bytes(client, name):
    """Return every document of a database as it is stored."""
    options = client.codec_options.with_options(document_class=RawBSONDocument)
    found = b""
    for collection in await client[name].list_collection_names():
        rows = client[name].get_collection(collection, codec_options=options).find()
        found += b"".join([row.raw async for row in rows])
    return found


async def test_nothing_readable_is_left_of_the_deleted(
    stack, clients, mailbox, email, database
):
    """Neither address nor name, in clear, sealed or hashed; the address is free."""
    client = clients[0]
    name, handle = f"Ada {new_id()[-12:]}", f"a{new_id()[-12:]}"
    await join(client, mailbox, email, name=name)
    _, who = await client.login(email, address="10.77.66.55")
    user_id = who.user_id
    for method, path, body in (
        ("PUT", f"{ME}/handle", {"handle": handle}),
        ("PUT", f"{ME}/email", {"email": f"new-{email}"}),
        ("POST", f"{ME}/mfa/totp", None),
        ("POST", f"{ME}/tokens", {"name": name, "scopes": ["files:read"]}),
    ):
        status, answer, _ = await client.call(method, path, body, principal=who)
        assert status < 300, answer
    row = await database["parley_auth"]["users"].find_one({"_id": user_id})
    wanted = [
        *(text.encode() for text in (email, f"new-{email}", name, handle)),
        row["email_index"].encode(),
        bytes(row["email"]["c"]),
    ]
    before = await _bytes(database, "parley_auth")
    assert [one for one in wanted[2:] if one not in before] == []
    body = {"email": email}
    status, answer, _ = await client.call("POST", f"{ME}/deletion", body, principal=who)
    assert status == 202, answer
    await told_of_deletion(mailbox, user_id)
    async with asyncio.timeout(10):
        while await database["parley_auth"]["outbox"].find_one():  # noqa: ASYNC110 - it is on the server
            await asyncio.sleep(0.05)
    stored = await _bytes(database, "parley_auth")
    audit = await _bytes(database, "parley_auth_audit")
    assert [one for one in wanted if one in stored + audit] == []
    assert b"10.77.66.55" not in stored
    status, answer, _ = await client.post("login", {**body, "password": PASSWORD})
    assert (status, answer["code"]) == (401, "credentials_invalid")
    mailbox.events.clear()
    await join(client, mailbox, email, name="Somebody else")
    _, again = await client.login(email)
    assert again.user_id != user_id


async def test_command_lists_who_waits_and_tells_them_again(stack, mailbox, database):
    """An erasure that nobody answers: exit code 1, and user.deleted once more."""
    path = Path(stack.service_environment("auth")["AUTH_STORAGE_KEYS_FILE"])
    erasures = MongoErasureRepository(database["parley_auth"], KeyRing.from_file(path))
    user_id, now = UserId(new_id()), SystemClock().now()
    waiting = Erasure(user_id, 7, erased_at=now, told_at=now, awaited=("nobody",))
    await erasures.add(waiting, None, None)
    try:
        code, listed = await _command(stack, "list")
        assert code == 1
        assert [user_id, ["nobody"]] in [
            [one["user_id"], one["missing"]] for one in listed["erasures"]
        ]
        code, retold = await _command(stack, "retry", user_id)
        assert (code, retold) == (0, {"told": [user_id]})
        assert len(await told_of_deletion(mailbox, user_id)) == 1
    finally:
        await database["parley_auth"]["erasures"].delete_one({"_id": user_id})


async def test_sign_in_and_erasure_at_one_moment_have_one_end(
    clients, mailbox, email, database
):
    """Two processes erase while people sign in: kept with a session, or gone."""
    people = [
        await join(clients[0], mailbox, f"{number}-{email}") for number in range(8)
    ]
    ends = await asyncio.gather(
        *(
            _race(clients, address, 0.3 + number * 0.05)
            for number, address in enumerate(people)
        )
    )
    users = database["parley_auth"]["users"]
    for user_id, statuses in ends:
        kept = await users.find_one({"_id": user_id})
        if 200 in statuses:
            assert kept["deletion_due_at"] is None
            continue
        assert set(statuses) == {401}
        assert len(await told_of_deletion(mailbox, user_id)) == 1
        assert await users.find_one({"_id": user_id}) is None


async def _race(clients, email, seconds):
    """Delete an account and sign in around the end of its grace."""
    client = clients[0]
    _, who = await client.login(email)
    body = {"email": email}
    status, answer, _ = await client.call("POST", f"{ME}/deletion", body, principal=who)
    assert status == 202, answer
    await asyncio.sleep(seconds)
    answers = await asyncio.gather(
        *(one.post("login", {**body, "password": PASSWORD}) for one in clients * 2)
    )
    return who.user_id, [status for status, _, _ in answers]
