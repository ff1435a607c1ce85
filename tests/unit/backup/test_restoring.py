"""A restore beside never touches what is there."""

import pytest
from pymongo import MongoClient

from libs.backup.errors import PrefixUnusableError
from libs.backup.manifest import BackupFolder
from libs.backup.planning import plan_for
from libs.backup.restoring import Restoring
from libs.kernel import SystemClock
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
