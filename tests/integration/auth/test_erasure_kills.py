"""kill -9 while accounts are erased."""

import asyncio
import multiprocessing
import random
from datetime import timedelta
from pathlib import Path

import pytest

from libs.chassis.lease import MongoLease
from libs.crypto import KeyRing
from libs.kernel import SystemClock, UserId, new_id
from services.auth.domain import (
    EmailAddress,
    User,
    UserStatus,
)
from services.auth.repository import EmailVault, MongoUserRepository
from tests.integration.auth.conftest import told_of_deletion
from tests.integration.auth.kill_target import erase

pytestmark = pytest.mark.integration

ACCOUNTS = 12


async def _add_who_is_due(stack, database):
    path = stack.service_environment("auth")["AUTH_STORAGE_KEYS_FILE"]
    vault = EmailVault(KeyRing.from_file(Path(path)))
    users = MongoUserRepository(database["parley_auth"], vault)
    now, made = SystemClock().now(), []
    for _ in range(ACCOUNTS):
        user = User(
            user_id=UserId(new_id()),
            revision=3,
            status=UserStatus.DEACTIVATED,
            email=EmailAddress.parse(f"{new_id()}@example.test"),
            display_name="Due",
            locale="en",
            roles=("member",),
            created_at=now,
            updated_at=now,
            deletion_due_at=now - timedelta(seconds=1),
        )
        await users.add(user, None)
        made.append(user.user_id)
    return made


async def _erase_until_killed(context, environment, left):
    """Let a process erase, and kill it somewhere among the accounts."""
    before, has_begun = await left(), context.Event()
    process = context.Process(target=erase, args=(environment, has_begun))
    process.start()
    try:
        assert await asyncio.to_thread(has_begun.wait, 30)
        async with asyncio.timeout(20):
            while await left() == before:  # noqa: ASYNC110 - it is on the server
                await asyncio.sleep(0.005)
        # The moment is what is tried out.
        await asyncio.sleep(random.uniform(0, 0.05))  # noqa: S311 - no secret
    finally:
        process.kill()
        process.join()
        process.close()


async def test_each_is_erased_once_through_kills(
    stack, auth, mailbox, database, tmp_path
):
    """Kill -9 among a dozen accounts: each is whole or gone, recorded and told once."""
    # Whoever is named as the killed one may erase meanwhile, and nobody else; a process
    # that ended within its round may have left the lease behind.
    lease = MongoLease(database["parley_auth"], "erasing", "killed")
    over = {"$set": {"until": SystemClock().now()}}
    async with asyncio.timeout(20):
        while not await lease.acquire():
            await database["parley_auth"]["leases"].update_one({"_id": "erasing"}, over)
    made = await _add_who_is_due(stack, database)
    environment = stack.service_environment("auth") | {
        "AUTH_LOG_FILE": str(tmp_path / "killed.jsonl"),
        "AUTH_INSTANCE_ID": "killed",
        "AUTH_ERASING_SECONDS": "3600",
    }
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.integration.auth.kill_target"])
    users = database["parley_auth"]["users"]

    async def left():
        return await users.count_documents({"_id": {"$in": made}})

    rounds = 0
    while await left():
        await _erase_until_killed(context, environment, left)
        # The server forgets a dead client's transaction by itself, after seconds.
        await database.admin.command({"killAllSessions": []})
        rounds += 1
    await lease.release()
    assert rounds > 1
    erasures = database["parley_auth"]["erasures"]
    records = database["parley_auth_audit"]["records"]
    of_made = {"target_id": {"$in": made}, "action": "user.erased"}
    assert await erasures.count_documents({"_id": {"$in": made}}) == ACCOUNTS
    assert await records.count_documents(of_made) == ACCOUNTS
    for user_id in made:
        assert len(await told_of_deletion(mailbox, user_id)) == 1
