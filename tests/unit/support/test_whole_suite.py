"""Both halves of the test run are heard and count."""

import os
import sys

import psutil
import pytest

from tests.support import whole_suite
from tests.support.whole_suite import NICER, begin_quietly, run_both


def speaks(word: str, code: int = 0) -> list[str]:
    """Return a command that prints a word and ends with a code."""
    return [sys.executable, "-c", f"print({word!r}); raise SystemExit({code})"]


@pytest.mark.parametrize(
    ("quiet_code", "code", "wanted"), [(0, 0, 0), (1, 0, 1), (0, 2, 2), (1, 2, 2)]
)
def test_both_are_heard_and_either_failure_counts(capfd, quiet_code, code, wanted):
    """The words of the quiet one come last, whole; its failure is the run's."""
    quietly, aloud = speaks("quiet", quiet_code), speaks("aloud", code)

    assert run_both(quietly, aloud) == wanted

    assert capfd.readouterr().out.split() == ["aloud", "quiet"]


def test_the_quiet_one_has_a_lower_priority(tmp_path):
    """It takes no time from a test that measures."""
    with (tmp_path / "words").open("wb") as words:
        process = begin_quietly([sys.executable, "-c", "input()"], words)
        try:
            own = os.getpriority(os.PRIO_PROCESS, 0)
            given = os.getpriority(os.PRIO_PROCESS, process.pid)
            assert given == min(own + NICER, 19)
        finally:
            process.kill()
            process.wait()


def test_a_broken_off_run_leaves_no_quiet_one():
    """Where the one in front cannot be run, the one beside it does not run on."""
    sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]

    with pytest.raises(FileNotFoundError):
        run_both(sleeper, ["/none/such"])

    running = [child.cmdline() for child in psutil.Process().children()]
    assert sleeper not in running


def test_all_tests_are_in_one_of_the_two():
    """What one process leaves out is what the other one runs."""
    ignored = {word.removeprefix("--ignore=") for word in whole_suite.ON_SERVERS}

    assert set(whole_suite.SERVERLESS) <= ignored & set(whole_suite.QUIETLY)
    assert whole_suite.ON_SERVERS[-1] == "tests"
