"""A backup of the running house, restored beside it to a moment (BK-1)."""

import asyncio

import aiohttp
import pytest
from pymongo import MongoClient

from deploy.embedded.recovery import add_segment, back_up, backup_command
from libs.kernel import new_id
from scripts.demo.client import Person
from tests.e2e.flow import Reader, Sender, check
from tests.e2e.restoring import beside, exported, moment_of, told
from tests.integration.auth.conftest import Client, running_auth

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@pytest.fixture
def prefix(house):
    """Names for restored databases, which are dropped at the end."""
    name = f"restored_{new_id()[-8:]}_"
    yield name
    with MongoClient(house.admin_mongo_url) as client:
        for database in client.list_database_names():
            if database.startswith(name):
                client.drop_database(database)


async def test_bk_1_a_backup_under_load_is_whole_at_its_moment(
    house, neighbours, prefix, tmp_path
):
    """BK-1: The checker of histories, decryption, the audit's chain, and no session.

    Messages are sent while the backup is taken and after the moment that is restored; a
    session that ended after that moment must not live again in what is restored.
    """
    ada, place = neighbours.ada, neighbours.names["group"]
    sender, reader = Sender(ada, place), Reader(neighbours.grace, place)
    await ada.come_online(place)
    sending = asyncio.create_task(sender.run(30, 0.02))
    backups, keys = tmp_path / "backups", tmp_path / "keys"
    await asyncio.to_thread(back_up, house.stack, backups, keys)
    await sending
    await reader.sync()
    async with Person(ada.edge_url, ada.email, ada.password, "phone") as phone:
        await phone.sign_in("phone")
        then = moment_of(house)
        await phone.call("POST", "auth/logout")
    await Sender(ada, place).run(3, 0)
    await asyncio.to_thread(add_segment, house.stack, backups)
    words = ("restore", "--at", then, "--rename", prefix)
    await asyncio.to_thread(backup_command, house.stack, backups, *words)
    chat = beside(house, "chat", prefix, tmp_path)
    verdict = told(house, "chat", chat, "verify", "--conversation", place)
    assert verdict["is_whole"]
    assert verdict["messages"] == 30
    stored = exported(house, chat, place, tmp_path / "export.jsonl")
    assert check(sender, reader, stored) == {}
    await _no_session_lives(house, (ada, phone), prefix, tmp_path)


async def _no_session_lives(house, people, prefix, folder):
    """Let auth serve what was restored: old sessions are refused, passwords taken."""
    settings = beside(house, "auth", prefix, folder)
    with running_auth(house, folder, **settings) as process:
        async with aiohttp.ClientSession() as http:
            client = Client(process, http)
            for person in people:
                body = {"refresh_token": person.refresh_token}
                status, problem, _ = await client.post("refresh", body)
                assert (status, problem["code"]) == (401, "refresh_token_invalid")
            await client.login(people[0].email, people[0].password)
    assert told(house, "auth", settings, "audit", "verify")["is_whole"]
