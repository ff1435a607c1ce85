"""A restore beside never touches what is there; no clock alone marks its end."""

from datetime import UTC, datetime

import pytest
from bson import Timestamp
from pymongo import MongoClient, ReadPreference

from libs.backup.errors import PrefixUnusableError
from libs.backup.folder import BackupFolder
from libs.backup.planning import plan_for
from libs.backup.restoring import Restoring
from libs.backup.server import options_of
from libs.kernel import FrozenClock, SystemClock
from tests.unit.backup.folders import full_backup, nothing_told


@pytest.mark.parametrize("prefix", ["", "p", "parley", "a", "local", "Old_", "x.y"])
def test_names_that_begin_those_of_other_databases_are_refused(tmp_path, prefix):
    """What is there would be cleared with what is beside it."""
    folder = BackupFolder(tmp_path)
    full_backup(folder, 100, {"_id": 1})
    client = MongoClient(connect=False)
    plan = plan_for(folder, None)
    restoring = Restoring(client, plan, prefix, SystemClock(), nothing_told)
    with pytest.raises(PrefixUnusableError):
        restoring.run(is_replacing=True)
    client.close()


@pytest.mark.parametrize("said", ["", "?readPreference=secondary"])
def test_a_restore_reads_what_it_has_written(said):
    """From the primary: a secondary that lags shows neither that nor what is there."""
    url = f"mongodb://one,two,three/{said}"
    with MongoClient(
        url, connect=False, **options_of(url, is_restoring=True)
    ) as client:
        assert client.read_preference == ReadPreference.PRIMARY


def test_a_backup_spares_the_primary():
    """Unless its connection string says otherwise."""
    said = "mongodb://one/?readPreference=primary"
    assert "readPreference" not in options_of(said, is_restoring=False)
    options = options_of("mongodb://one/", is_restoring=False)
    assert options["readPreference"] == "secondaryPreferred"


class Set:
    """A set that has come to a moment."""

    def __init__(self, seconds):
        self.seconds = seconds

    def __getitem__(self, _name):
        return self

    def command(self, _name, **_):
        """Answer `hello`."""
        return {"lastWrite": {"majorityOpTime": {"ts": Timestamp(self.seconds, 1)}}}


@pytest.mark.parametrize(
    ("server", "clock", "marked"),
    [(200, 50, 201), (200, 300, 300), (50, 60, 101)],
)
def test_a_restore_is_marked_after_all_that_was_restored(
    tmp_path, server, clock, marked
):
    """By the latest of the set, the backup and this machine: a late clock ends less."""
    folder = BackupFolder(tmp_path)
    full_backup(folder, 100, {"_id": 1})
    now = FrozenClock(datetime.fromtimestamp(clock, UTC))
    plan = plan_for(folder, None)
    restoring = Restoring(Set(server), plan, "parley_", now, nothing_told)
    assert restoring.marked_at() == datetime.fromtimestamp(marked, UTC)
