"""The audit's alerts read metrics that exist, and each has its page."""

import inspect
import re
from pathlib import Path

import pytest
from prometheus_client import Counter, Gauge

from libs.chassis.audit import metrics
from tests.support.alert_rules import rules

PAGE = (Path(__file__).parents[4] / "docs" / "audit.md").read_text()
EXPORTED = {
    f"{metric._name}{'_total' if isinstance(metric, Counter) else ''}"
    for _, metric in inspect.getmembers(metrics)
    if isinstance(metric, Counter | Gauge)
}


@pytest.mark.parametrize("rule", rules("audit"), ids=lambda rule: rule.name)
def test_a_rule_reads_what_is_exported_and_has_its_page(rule):
    """A metric that exists, a severity, and a heading that says what to do."""
    assert rule.selectors
    assert set(rule.selectors) <= EXPORTED
    assert rule.labels <= {"job"}
    assert rule.text["labels"]["severity"] in {"page", "ticket", "note"}
    assert rule.text["annotations"]["runbook"] == f"docs/audit.md#{rule.name.lower()}"
    assert f"## {rule.name}\n" in PAGE


def test_au_1_a_late_checkpoint_alerts_after_five_minutes():
    """faults.md: the second place away: alert after 5 minutes."""
    by_name = {rule.name: rule for rule in rules("audit")}
    assert by_name["AuditCheckpointLate"].expression.endswith("> 300")
    assert set(re.findall(r"^## (Audit\w+)$", PAGE, re.MULTILINE)) == set(by_name)
