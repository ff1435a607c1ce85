"""The broker's Prometheus endpoint has what the alert rules read."""

import re
import urllib.request

import pytest

from tests.support.alert_rules import rules

pytestmark = pytest.mark.integration

FAMILIES = "family=queue_coarse_metrics&family=queue_consumer_count"


def test_the_broker_exports_what_the_rules_read(stack):
    """By queue, with the two families that the rule file asks to be scraped."""
    port = stack.port("rabbitmq_prometheus")
    url = f"http://127.0.0.1:{port}/metrics/detailed?{FAMILIES}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        page = answer.read().decode()
    found = {
        name: set(re.findall(r'([a-z_]+)="', labels))
        for name, labels in re.findall(
            r"^(rabbitmq_\w+)\{([^}]*)\}", page, re.MULTILINE
        )
    }
    wanted = {
        metric: labels
        for rule in rules()
        for metric, labels in rule.selectors.items()
        if metric.startswith("rabbitmq_")
    }
    assert wanted
    for metric, labels in wanted.items():
        assert {"queue", "vhost"} | labels <= found[metric]
    assert 'queue="unroutable"' in page
