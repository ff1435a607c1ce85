"""Migrations and indexes on the real server, each in a database's own collections."""

import asyncio
from datetime import timedelta

import pytest
from pymongo import IndexModel

from libs.chassis.lease import LeaseHeldError, LeaseLostError, MongoLease
from libs.chassis.mongo import open_mongo
from libs.kernel import SystemClock
from services.chat.repository.migrations import MIGRATIONS, Migration, Step
from services.chat.repository.schema import Schema, SchemaBehindError
from tests.support.prefixed import Prefixed

pytestmark = pytest.mark.integration
CLOCK = SystemClock()


@pytest.fixture
async def database(settings):
    """Collections that nobody else sees."""
    async with open_mongo(settings) as whole:
        own = Prefixed(whole)
        yield own
        await own.drop()


def numbering(size: int, fails_at: list[str]) -> Migration:
    """Return a migration that numbers documents, one a step, and may break once."""

    async def step(database, cursor: str) -> Step:
        if cursor in fails_at:
            fails_at.remove(cursor)
            raise RuntimeError("cut")
        number = int(cursor or 0)
        await database["things"].update_one({"_id": number}, {"$inc": {"times": 1}})
        is_last = number + 1 == size
        return Step(None if is_last else str(number + 1), 1)

    return Migration("0001-number", "things", step)


async def test_a_cut_migration_goes_on_where_it_was(database) -> None:
    """No batch runs twice, progress is told, and nothing runs again once done."""
    await database["things"].insert_many([{"_id": n} for n in range(5)])
    told: list[tuple[str, int, int]] = []
    fails = ["3"]
    schema = Schema(database, CLOCK, migrations=[numbering(5, fails)], indexes={})
    assert (await schema.status()).pending == ("0001-number",)
    with pytest.raises(SchemaBehindError, match="0001-number"):
        await schema.require_current()
    with pytest.raises(RuntimeError):
        await schema.apply("a", lambda *args: told.append(args))
    assert not (await schema.status()).is_current
    status = await schema.apply("b", lambda *args: told.append(args))
    assert (status.is_current, status.applied) == (True, ("0001-number",))
    await schema.require_current()
    assert [done for _, done, _ in told] == [1, 2, 3, 4, 5]
    await schema.apply("c", lambda *args: told.append(args))
    assert len(told) == 5
    found = await database["things"].find().to_list()
    assert [document["times"] for document in found] == [1] * 5


async def test_declared_indexes_are_made_and_a_new_one_is_missed(database) -> None:
    """Adding one to the table is enough; an older version still finds all of its."""
    old = {"things": [IndexModel([("name", 1)], unique=True)]}
    new = {"things": [*old["things"], IndexModel([("age", 1)])]}
    schema = Schema(database, CLOCK, migrations=[], indexes=old)
    assert (await schema.status()).missing_indexes == ("things.name_1",)
    await schema.apply("a", lambda *_: None)
    newer = Schema(database, CLOCK, migrations=[], indexes=new)
    assert (await newer.status()).missing_indexes == ("things.age_1",)
    assert (await newer.apply("a", lambda *_: None)).is_current
    names = set(await database["things"].index_information())
    assert names == {"_id_", "name_1", "age_1"}
    await schema.require_current()  # the processes of a rolling update


async def test_two_runs_never_meet(database) -> None:
    """The second one is told, and may go on when the first one ended."""
    entered, leave = asyncio.Event(), asyncio.Event()

    async def step(_database, _cursor) -> Step:
        entered.set()
        await leave.wait()
        return Step(None, 0)

    schema = Schema(
        database, CLOCK, migrations=[Migration("0001-wait", "things", step)], indexes={}
    )
    first = asyncio.create_task(schema.apply("a", lambda *_: None))
    await asyncio.wait_for(entered.wait(), 10)
    with pytest.raises(LeaseHeldError):
        await schema.apply("b", lambda *_: None)
    leave.set()
    assert (await first).is_current
    assert (await schema.apply("b", lambda *_: None)).is_current


async def test_a_stolen_lease_ends_the_work(database) -> None:
    """Who was away too long stops before it does harm."""
    lease = MongoLease(database, "work", "a", ttl=timedelta(seconds=0.5))
    cancelled = asyncio.Event()

    async def work() -> None:
        await database["leases"].update_one({"_id": "work"}, {"$set": {"holder": "b"}})
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with pytest.raises(LeaseLostError):
        await lease.run(work)
    assert cancelled.is_set()


async def test_old_data_keys_are_dated(database) -> None:
    """Keys from before rotation seal since their conversation began; others stay."""
    dated = {"id": "b", "made_at": CLOCK.now(), "from_revision": 7}
    born = CLOCK.now() - timedelta(days=3)
    await database["conversations"].insert_many(
        [
            {"_id": "1", "created_at": born, "keys": [{"id": "a"}, dict(dated)]},
            {"_id": "2", "created_at": born, "keys": []},
        ]
    )
    schema = Schema(database, CLOCK, migrations=MIGRATIONS[:1], indexes={})
    await schema.apply("a", lambda *_: None)
    found = await database["conversations"].find_one({"_id": "1"})
    old, new = found["keys"]
    assert (old["from_revision"], new["from_revision"]) == (0, 7)
    assert abs(old["made_at"] - born) < timedelta(milliseconds=1)


async def test_old_follows_come_into_their_users_streams(database) -> None:
    """Each by a revision of its own; what has one already keeps it."""
    await database["personal"].insert_one({"_id": "ada", "revision": 7})
    await database["thread_follows"].insert_many(
        [
            {"_id": "1", "user_id": "ada"},
            {"_id": "2", "user_id": "ada", "user_revision": 4},
            {"_id": "3", "user_id": "ada"},
            {"_id": "4", "user_id": "grace"},
        ]
    )
    schema = Schema(database, CLOCK, migrations=MIGRATIONS[1:2], indexes={})
    await schema.apply("a", lambda *_: None)
    found = await database["thread_follows"].find().sort("_id", 1).to_list()
    assert [one["user_revision"] for one in found] == [8, 4, 9, 1]
    counters = await database["personal"].find().sort("_id", 1).to_list()
    assert [one["revision"] for one in counters] == [9, 1]
