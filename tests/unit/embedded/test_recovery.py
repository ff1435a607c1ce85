"""The timers of one machine run commands that there are."""

import configparser
import re
from pathlib import Path

import pytest

from deploy.embedded.cli import _parser
from deploy.embedded.errors import NotRunningError
from deploy.embedded.layout import open_stack
from deploy.embedded.recovery import add_segment

FOLDER = Path(__file__).parents[3] / "deploy" / "systemd"
PYTHON = "/opt/parley/.venv/bin/python -m deploy.embedded "


def unit(name):
    """Read a unit's file."""
    parsed = configparser.ConfigParser(interpolation=None)
    parsed.optionxform = str
    parsed.read(FOLDER / name)
    return parsed


@pytest.mark.parametrize("name", ["parley-backup", "parley-backup-segment"])
def test_a_timer_starts_a_command_that_is_understood(name):
    """A folder for data, another for keys."""
    command = unit(f"{name}.service")["Service"]["ExecStart"]
    assert command.startswith(PYTHON)
    options = _parser().parse_args(command.removeprefix(PYTHON).split())
    assert options.folder == Path("/srv/backups/parley")
    assert unit(f"{name}.timer")["Timer"]["OnCalendar"]


def test_segments_are_taken_within_what_may_be_lost():
    """Twice their distance is less than five minutes."""
    when = unit("parley-backup-segment.timer")["Timer"]["OnCalendar"]
    minutes = re.fullmatch(r"\*:0/(\d+)", when)
    assert minutes is not None
    assert 2 * int(minutes[1]) <= 5


def test_a_stack_that_does_not_run_is_not_backed_up(tmp_path):
    """The error says what to do."""
    with pytest.raises(NotRunningError, match="bring it up first"):
        add_segment(open_stack(tmp_path), tmp_path / "backups")
