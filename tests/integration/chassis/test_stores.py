"""MongoDB, Redis and the session watch on real servers."""

import asyncio
import gc
import json
import time

import pytest
from pydantic_settings import SettingsConfigDict
from pymongo.errors import DuplicateKeyError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from libs.chassis import mongo, redis
from libs.chassis.health import Health, status_of
from libs.chassis.sessions import CHANNEL, RevokedSession, SessionWatch
from libs.chassis.settings import MongoSettings, RedisSettings, load_plain
from libs.kernel import SystemClock, UnavailableError, new_id

pytestmark = pytest.mark.integration


@pytest.fixture
def mongo_settings(stack):
    """Chat's own account and database."""
    return MongoSettings(
        mongo_url=stack.database_url("chat"), mongo_database="parley_chat"
    )


async def test_the_database_is_opened_as_the_house_wants_it(mongo_settings):
    """Majority, journal, aware times; a duplicate is no outage."""
    async with mongo.open_mongo(mongo_settings) as database:
        await mongo.ping(database)
        concern = database.client.write_concern.document
        assert concern == {"w": "majority", "j": True}
        things = database.chassis_things
        now = SystemClock().now()
        await things.delete_many({})
        await things.insert_one({"_id": 1, "at": now})
        found = await things.find_one({"_id": 1})
        assert found["at"] == now
        with pytest.raises(DuplicateKeyError), mongo.map_mongo_errors():
            await things.insert_one({"_id": 1})
        await things.drop()


@pytest.fixture
def leaky_driver():
    """The driver leaves a socket open that it was connecting when it was closed."""
    yield
    gc.collect()  # here, where the mark below holds, and not in some later test


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest.mark.usefixtures("leaky_driver")
async def test_a_missing_database_is_noticed_in_time():
    """Within the deadline of a health check, and as unavailable elsewhere."""
    settings = MongoSettings(
        mongo_url="mongodb://127.0.0.1:9/", mongo_database="parley_chat"
    )
    async with mongo.open_mongo(settings) as database:
        health = Health()
        health.add("mongodb", lambda: mongo.ping(database), deadline_seconds=0.5)
        assert status_of(await health.check()) == "failed"
        with pytest.raises(UnavailableError), mongo.map_mongo_errors():
            async with asyncio.timeout(6):
                await database.things.find_one({})


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest.mark.usefixtures("leaky_driver")
async def test_a_database_known_to_be_away_is_refused_within_a_second():
    """The first to ask wait for an election; those that come later do not."""
    settings = MongoSettings(
        mongo_url="mongodb://127.0.0.1:9/", mongo_database="parley_chat"
    )
    async with mongo.open_mongo(settings) as database:
        took = []
        for _ in range(2):
            started = time.monotonic()
            with pytest.raises(UnavailableError), mongo.map_mongo_errors():
                await database.things.find_one({})
            with pytest.raises(UnavailableError), mongo.map_mongo_errors():
                await database.things.insert_one({})
            took.append(time.monotonic() - started)
    assert took[0] > 3
    assert took[1] < 2 * 1  # two operations


async def test_a_missing_cache_is_noticed_in_time():
    """As the database."""
    settings = RedisSettings(redis_url="redis://127.0.0.1:9/")
    async with redis.open_redis(settings) as client:
        with pytest.raises(UnavailableError), redis.map_redis_errors():
            async with asyncio.timeout(3):
                await redis.ping(client)


class SilentAuth:
    """Auth that nothing can be had from."""

    async def get(self, _path, *, params=None):
        """Fail."""
        raise UnavailableError("auth_unavailable", "no")


async def test_a_revocation_is_heard_within_a_second(stack):
    """SR-1: the channel alone is enough, between two accounts of their own."""
    chat = RedisSettings(redis_url=redis_url(stack, "chat"))
    auth = RedisSettings(redis_url=redis_url(stack, "auth"))
    heard: asyncio.Queue[RevokedSession] = asyncio.Queue()
    async with (
        redis.open_redis(chat) as listening,
        redis.open_redis(auth) as announcing,
        SessionWatch(listening, SilentAuth(), SystemClock()).run() as watch,
    ):
        watch.on_revoked(heard.put_nowait)
        await announced_until_heard(announcing, heard)
        await announcing.publish(CHANNEL, revocation("s1"))
        async with asyncio.timeout(1):
            while (await heard.get()).session_id != "s1":
                pass
        assert watch.is_revoked("s1")
        with pytest.raises(UnavailableError):
            await watch.check()


class AccountSettings(RedisSettings):
    """Where a service's account comes from."""

    model_config = SettingsConfigDict(env_prefix="DEMO_")


@pytest.fixture
async def accounts(stack):
    """Two accounts on the server, as connection strings, and who administers it."""
    async with Redis.from_url(stack.admin_redis_url) as admin:
        port, names = stack.port("valkey"), [f"t{new_id()[-12:]}" for _ in range(2)]
        for name in names:
            rights = ("on", f">{name}", "~*", "+@all")
            await admin.execute_command("ACL", "SETUSER", name, *rights)
        yield admin, {name: f"redis://{name}:{name}@127.0.0.1:{port}" for name in names}
        await admin.execute_command("ACL", "DELUSER", *names)


async def test_se_1_another_account_of_redis_needs_no_restart(
    accounts, tmp_path, monkeypatch
):
    """SE-1: the file is replaced, the first account goes, the second one goes on."""
    admin, urls = accounts
    first, second = urls
    secret = tmp_path / "demo_redis_url"
    secret.write_text(urls[first])
    monkeypatch.setenv("PARLEY_SECRETS_DIR", str(tmp_path))
    async with redis.open_redis(load_plain(AccountSettings)) as client:
        assert await client.execute_command("ACL", "WHOAMI") == first.encode()
        secret.write_text(urls[second])
        await admin.execute_command("ACL", "DELUSER", first)
        async with asyncio.timeout(10):
            while True:
                try:
                    found = await client.execute_command("ACL", "WHOAMI")
                    break
                except RedisError:  # within a second the file is looked at again
                    await asyncio.sleep(0.05)
        assert found == second.encode()


def revocation(session_id):
    """Return what auth announces."""
    return json.dumps({"session_id": session_id, "user_id": "u1"})


async def announced_until_heard(announcing, heard):
    """Announce until the watch listens: others may listen on the channel too."""
    async with asyncio.timeout(10):
        while heard.empty():
            await announcing.publish(CHANNEL, revocation("s0"))
            await asyncio.sleep(0.05)


def redis_url(stack, service):
    """Return a service's own connection string, from its secret file."""
    from pathlib import Path  # noqa: PLC0415 - the one place

    environment = stack.service_environment(service)
    folder = Path(environment["PARLEY_SECRETS_DIR"])
    return (folder / f"{service}_redis_url").read_text().strip()
