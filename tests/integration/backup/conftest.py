"""Databases of a test's own on the real server, and backups of them."""

import threading
from contextlib import contextmanager

import pytest
from bson import Timestamp
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from deploy.embedded.servers.mongodb import backup_url
from libs.backup.folder import BackupFolder
from libs.backup.planning import plan_for
from libs.backup.restoring import Restoring
from libs.backup.server import open_client
from libs.backup.taking import Taking
from libs.kernel import SystemClock, new_id
from tests.unit.backup.folders import nothing_told

ACCOUNTS, EACH = 20, 1_000


class Installation:
    """Databases that begin alike, and the folder of their backups.

    Attributes:
        client: An administrator's.
        reader: Of an account that may take backups and nothing else.
        prefix: Of the databases.
        beside: Of those that are restored beside them.
    """

    def __init__(self, client, reader, folder):
        name = new_id()[-8:]
        self.client = client
        self.reader = reader
        self.folder = BackupFolder(folder)
        self.prefix = f"backed_{name}_"
        self.beside = f"restored_{name}_"

    def database(self, name, prefix=None):
        """Return one of the databases."""
        return self.client[f"{prefix or self.prefix}{name}"]

    def taking(self):
        """Return what takes backups of them."""
        return Taking(
            self.reader, self.folder, self.prefix, None, SystemClock(), nothing_told
        )

    def restore(self, at=None, *, prefix=None, is_replacing=True):
        """Restore them, beside if nothing else is said."""
        restoring = Restoring(
            self.client,
            plan_for(self.folder, at),
            prefix or self.beside,
            SystemClock(),
            nothing_told,
        )
        return restoring.run(is_replacing=is_replacing)

    def hashes(self, name, prefix=None):
        """Return the server's own hash of each collection's bytes."""
        answer = self.database(name, prefix).command("dbHash")
        return {
            name: digest
            for name, digest in answer["collections"].items()
            if name not in ("restores", "system.views")
        }

    def now(self) -> Timestamp:
        """Return the moment of what was written last."""
        with self.client.start_session() as session:
            self.database("bank")["notes"].insert_one({}, session=session)
            return session.operation_time

    def drop(self):
        """Drop all of them."""
        for name in self.client.list_database_names():
            if name.startswith((self.prefix, self.beside)):
                self.client.drop_database(name)


@pytest.fixture(scope="session")
def reader(stack):
    """Return a client of an account with the role that backups need."""
    with open_client(backup_url(stack.stack)) as client:
        yield client


@pytest.fixture
def installation(stack, reader, tmp_path):
    """An installation with two databases, in which money is moved about."""
    with open_client(stack.admin_mongo_url, is_restoring=True) as client:
        made = Installation(client, reader, tmp_path / "backups")
        made.database("bank")["accounts"].insert_many(
            [{"_id": number, "balance": EACH} for number in range(ACCOUNTS)]
        )
        made.database("ledger").create_collection("moves")
        yield made
        made.drop()


@contextmanager
def transfers(stack, installation):
    """Move money between accounts and write it down elsewhere, in transactions."""
    is_over = threading.Event()
    moved = []

    def move():
        with MongoClient(stack.admin_mongo_url) as client:
            accounts = client[f"{installation.prefix}bank"]["accounts"]
            moves = client[f"{installation.prefix}ledger"]["moves"]
            while not is_over.is_set():
                number = len(moved)
                sums = {"from": number % ACCOUNTS, "to": (number * 7 + 1) % ACCOUNTS}
                with client.start_session() as session:
                    try:
                        with session.start_transaction():
                            transfer(accounts, moves, sums, session)
                    except PyMongoError:
                        continue
                moved.append(number)

    thread = threading.Thread(target=move)
    thread.start()
    try:
        yield moved
    finally:
        is_over.set()
        thread.join(30)


def transfer(accounts, moves, sums, session):
    """Take one from an account, give it to another, and write it down."""
    less, more = {"$inc": {"balance": -1}}, {"$inc": {"balance": 1}}
    accounts.update_one({"_id": sums["from"]}, less, session=session)
    accounts.update_one({"_id": sums["to"]}, more, session=session)
    moves.insert_one(dict(sums), session=session)


def balances(installation, prefix):
    """Return what accounts hold, and what they should by what is written down."""
    accounts = installation.database("bank", prefix)["accounts"].find()
    held = {one["_id"]: one["balance"] for one in accounts}
    due = dict.fromkeys(range(ACCOUNTS), EACH)
    for one in installation.database("ledger", prefix)["moves"].find():
        due[one["from"]] -= 1
        due[one["to"]] += 1
    return held, due
