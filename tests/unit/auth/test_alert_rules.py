"""The alerts of deletions read metrics that exist, and each has its page."""

import inspect
from pathlib import Path

import pytest
from prometheus_client import Gauge

from services.auth.service import erasure_metrics
from tests.support.alert_rules import rules

PAGE = (Path(__file__).parents[3] / "docs" / "auth.md").read_text()
EXPORTED = {
    metric._name: set(metric._labelnames)
    for _, metric in inspect.getmembers(erasure_metrics)
    if isinstance(metric, Gauge)
}


@pytest.mark.parametrize("rule", rules("erasures"), ids=lambda rule: rule.name)
def test_a_rule_reads_what_is_exported_and_has_its_page(rule):
    """A metric that exists with its labels, a severity, and what to do."""
    assert rule.selectors
    assert set(rule.selectors) <= set(EXPORTED)
    readable = {"job"}.union(*(EXPORTED[name] for name in rule.selectors))
    assert rule.labels <= readable
    assert rule.text["labels"]["severity"] in {"page", "ticket", "note"}
    assert rule.text["annotations"]["runbook"] == f"docs/auth.md#{rule.name.lower()}"
    assert f"### {rule.name}\n" in PAGE
    assert all(f"`{name}" in PAGE for name in EXPORTED)
