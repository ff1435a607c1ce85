"""AU-1 and AU-2 on auth itself: killed in the act, verified by its command."""

import asyncio
import json
import multiprocessing
import os
import random
import sys

import pytest
from pymongo import AsyncMongoClient

from tests.integration.auth.conftest import PASSWORD
from tests.integration.auth.kill_target import act
from tests.support.audit import refusing_audit

pytestmark = pytest.mark.integration
KILLS = int(os.environ.get("PARLEY_AUDIT_KILLS", "5"))


async def _records(client, **query):
    found = client["parley_auth_audit"]["records"].find(query)
    return await found.to_list()


async def _verify(stack):
    """Run the command as an operator does; return its exit code and result."""
    command = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.auth", "audit", "verify"),
        env=dict(os.environ) | stack.service_environment("auth"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await command.communicate()
    assert command.returncode in {0, 1}, errors
    return command.returncode, json.loads(output), errors.decode()


async def _until_all_is_sealed(client):
    async with asyncio.timeout(20):
        while await client["parley_auth_audit"]["pending"].find_one():  # noqa: ASYNC110 - it is on the server
            await asyncio.sleep(0.05)


def _kill_in_the_act(context, environment, user_id):
    has_acted = context.Event()
    process = context.Process(target=act, args=(environment, user_id, has_acted))
    process.start()
    try:
        assert has_acted.wait(30)
        # Somewhere in the next acts: the moment is what is tried out.
        process.join(random.uniform(0, 0.1))  # noqa: S311 - no secret
    finally:
        process.kill()
        process.join()
        process.close()


async def test_au_2_no_effect_is_unrecorded_after_kills(client, stack, ann, tmp_path):
    """AU-2: kill -9 at any moment leaves no session without its record."""
    _, who = await client.login(ann)
    environment = stack.service_environment("auth") | {
        "AUTH_BCRYPT_COST": "10",
        "AUTH_LOG_FILE": str(tmp_path / "killed.jsonl"),
        "AUTH_INSTANCE_ID": "killed",
    }
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.integration.auth.kill_target"])
    for _ in range(KILLS):
        await asyncio.to_thread(_kill_in_the_act, context, environment, who.user_id)
    async with AsyncMongoClient(stack.admin_mongo_url, tz_aware=True) as database:
        sessions = (
            await database["parley_auth"]["sessions"]
            .find({"user_id": who.user_id})
            .to_list()
        )
        started = await _records(
            database, action="session.started", actor_id=who.user_id
        )
        ended = await _records(database, action="session.ended", actor_id=who.user_id)
        assert len(sessions) > KILLS
        assert sorted(one["_id"] for one in sessions) == sorted(
            record["target_id"] for record in started
        )
        assert sorted(one["_id"] for one in sessions if one["revoked_at"]) == sorted(
            record["target_id"] for record in ended
        )
        await _until_all_is_sealed(database)
    code, verdict, _ = await _verify(stack)
    assert (code, verdict["findings"]) == (0, [])


async def test_au_1_command_verifies_and_names_the_first_bad_seq(client, stack, ann):
    """AU-1: whole at first; after an edit in the database, the number of the record."""
    await client.login(ann)
    await client.post("login", {"email": ann, "password": PASSWORD + "x"})
    async with AsyncMongoClient(stack.admin_mongo_url, tz_aware=True) as database:
        await _until_all_is_sealed(database)
        code, verdict, progress = await _verify(stack)
        assert (code, verdict["is_whole"], verdict["first_bad_seq"]) == (0, True, None)
        assert "links: " in progress
        audit = database["parley_auth_audit"]
        refused = await audit["records"].find_one({"action": "session.refused"})
        assert refused["reason"] == "credentials_invalid"
        assert PASSWORD not in json.dumps(refused, default=str)
        link = await audit["chain"].find_one({"record_id": refused["_id"]})
        change = {"$set": {"result": "success"}}
        await audit["records"].update_one({"_id": refused["_id"]}, change)
        try:
            code, verdict, _ = await _verify(stack)
        finally:
            undo = {"$set": {"result": refused["result"]}}
            await audit["records"].update_one({"_id": refused["_id"]}, undo)
    assert (code, verdict["first_bad_seq"]) == (1, link["_id"])


async def test_au_2_what_cannot_be_recorded_does_not_happen(client, stack, ann):
    """faults.md: without its audit record a privileged action is refused."""
    tokens, who = await client.login(ann)
    async with refusing_audit(stack, "auth"):
        status, answer, _ = await client.call(
            "DELETE", f"/api/v1/me/sessions/{who.session_id}", principal=who
        )
    assert (status, answer["code"]) == (503, "audit_unavailable")
    body = {"refresh_token": tokens["refresh_token"]}
    status, _, _ = await client.post("refresh", body)
    assert status == 200
