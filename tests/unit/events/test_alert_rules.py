"""The alert rules read metrics that exist, and each has its page in the runbook."""

import inspect
import re
from pathlib import Path

import pytest
from prometheus_client import Counter, Gauge, Histogram

from libs.events import metrics
from tests.support.alert_rules import rules

ROOT = Path(__file__).parents[3]
LIBRARY = ROOT / "libs" / "events"
RUNBOOK = (LIBRARY / "RUNBOOK.md").read_text()
FROM_SCRAPE = {"job", "vhost", "queue"}
SEVERITIES = {"page", "ticket", "note"}
SUFFIXES = {
    Counter: ("_total",),
    Gauge: ("",),
    Histogram: ("_bucket", "_sum", "_count"),
}


def exported():
    """Return the labels of each sample name that the library exports."""
    found = {}
    for _, metric in inspect.getmembers(metrics):
        for suffix in SUFFIXES.get(type(metric), ()):
            labels = set(metric._labelnames) | (
                {"le"} if suffix == "_bucket" else set()
            )
            found[f"{metric._name}{suffix}"] = labels
    return found


EXPORTED = exported()


def test_the_library_exports_what_the_readme_lists():
    """Every metric with exactly its labels, and the alerts that watch it."""
    readme = (LIBRARY / "README.md").read_text()
    documented = {
        name: {label.strip() for label in labels.split(",") if label}
        for name, labels in re.findall(r"`(events_[a-z_]+)(?:\{([^}]*)\})?`", readme)
    }
    families = {
        re.sub("_(bucket|sum|count)$", "", name): labels - {"le"}
        for name, labels in EXPORTED.items()
    }
    assert documented == families
    assert set(re.findall(r"`(Events[A-Z][A-Za-z]+)`", readme)) == {
        rule.name for rule in rules()
    }


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.name)
def test_a_rule_reads_what_is_exported(rule):
    """Metric and label names; the broker's are compared with the real broker."""
    readable = set(FROM_SCRAPE)
    for metric, labels in rule.selectors.items():
        if metric.startswith("events_"):
            assert metric in EXPORTED
            assert labels <= EXPORTED[metric] | FROM_SCRAPE
            readable |= EXPORTED[metric]
    assert rule.selectors
    assert rule.labels <= readable


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.name)
def test_a_rule_says_how_urgent_it_is_and_what_to_do(rule):
    """Its severity is one of three words, its runbook a heading of the library's."""
    assert rule.text["labels"]["severity"] in SEVERITIES
    assert rule.text["annotations"]["description"]
    page, _, anchor = rule.text["annotations"]["runbook"].partition("#")
    assert ROOT / page == LIBRARY / "RUNBOOK.md"
    assert anchor == rule.name.lower()
    assert f"## {rule.name}\n" in RUNBOOK


def test_every_page_of_the_runbook_has_its_rule():
    """A rule that went away takes its page with it."""
    assert re.findall("^## (.+)$", RUNBOOK, re.MULTILINE) == [r.name for r in rules()]


def test_the_runbook_names_what_is_in_the_code():
    """Log lines, settings and reasons in backticks stand in the sources."""
    sources = "".join(path.read_text() for path in LIBRARY.rglob("*.py"))
    words = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", RUNBOOK))
    assert {
        word for word in words if word.removesuffix("_total") not in sources
    } == set()
