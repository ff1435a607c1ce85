"""docs/conformance.md names tests that exist, and every one of the suite."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "conformance.md").read_text()


def defined(pattern):
    """Return the names of the tests in some files."""
    texts = [path.read_text() for path in ROOT.glob(pattern)]
    return {name for text in texts for name in re.findall(r"def (test_\w+)\(", text)}


def test_every_test_the_page_names_exists():
    """A renamed or deleted test is missed here."""
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert named - defined("tests/*/events/*.py") == set()


def test_the_page_names_the_whole_suite():
    """What runs on both buses, and what takes a real broker's faults."""
    suite = defined("tests/integration/events/conformance*.py")
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert suite - named - {"test_run_transaction_returns_and_sends_once"} == set()
