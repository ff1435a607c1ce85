"""The alerts of backups read what is exported, and a page says what to do."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from libs.backup.telling import note_finished
from libs.kernel import FrozenClock
from tests.support.alert_rules import FOLDER, rules
from tests.support.exported_metrics import exported

PAGE = Path(__file__).parents[3] / "docs" / "backup.md"


@pytest.mark.parametrize("rule", rules("backups"), ids=lambda rule: rule.name)
def test_an_alert_has_its_section(rule):
    """A severity in one of three words, and a heading that says what to do."""
    assert rule.text["labels"]["severity"] in {"page", "ticket", "note"}
    runbook = rule.text["annotations"]["runbook"]
    assert runbook == f"docs/backup.md#{rule.name.lower()}"
    assert f"### {rule.name}\n" in PAGE.read_text()


def test_what_is_read_is_exported():
    """The metrics of the file that the commands write."""
    read = set(re.findall(r"\bbackup_\w+", (FOLDER / "backups.yml").read_text()))
    assert read
    assert read <= set(exported())


def test_the_time_of_a_backup_is_written_for_the_collector(tmp_path):
    """A file a kind, in Prometheus' text format."""
    note_finished(tmp_path, "full", 5, FrozenClock(datetime(2026, 1, 1, tzinfo=UTC)))
    text = (tmp_path / "parley_backup_full.prom").read_text()
    assert 'backup_finished_timestamp_seconds{kind="full"} 1.7672256e+09' in text
    assert 'backup_size_bytes{kind="full"} 5.0' in text
