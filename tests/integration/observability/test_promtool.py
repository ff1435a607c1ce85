"""Prometheus' own tool reads the configuration and runs the tests of the alerts."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.clients import HINT

FOLDER = Path(__file__).parents[3] / "deploy" / "observability"
RULES = sorted((FOLDER / "rules").glob("*.yml"))
TESTS = sorted((FOLDER / "tests").glob("*.yml"))

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        shutil.which("promtool") is None,
        reason=f"promtool is not on this machine; {HINT}",
    ),
]


def promtool(*arguments: str | Path) -> str:
    """Return what promtool said; fail with it if something is wrong."""
    ended = subprocess.run(
        ["promtool", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = ended.stdout + ended.stderr
    assert ended.returncode == 0, said
    return said


def test_rules_are_read():
    """Syntax of every expression and template."""
    assert "FAILED" not in promtool("check", "rules", *RULES)


def test_configuration_is_read():
    """The scrapes of one machine, and the rules that they name."""
    promtool("check", "config", FOLDER / "prometheus.yml")


def test_every_alert_fires_in_trouble_and_is_silent_in_peace():
    """The series of each alert's test, evaluated as Prometheus would."""
    assert promtool("test", "rules", *TESTS).count("SUCCESS") == len(TESTS)
