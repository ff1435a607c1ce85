"""The broker's Prometheus endpoint has what the alert rules read."""

import re
import urllib.request

import pytest

from libs.events import PermanentError, Retry
from libs.events.catalog import ConversationRead
from tests.integration.events.conformance import deleted, read
from tests.support.alert_rules import rules
from tests.support.firing import Watched, assert_fires

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


async def test_what_rests_at_the_broker_is_alerted(stack, rig):
    """A dead letter, a queue without its consumer, a type that nobody wants."""
    worker, idle = rig.worker(), rig.worker("idle")

    @worker.subscribe(
        ConversationRead, name="reads", retry=Retry(immediate=0, delays=())
    )
    async def on_read(event, context):
        raise PermanentError("broken")

    @idle.subscribe(ConversationRead, name="reads")
    async def on_read_elsewhere(event, context):
        raise AssertionError("nobody runs this worker")

    port = stack.port("rabbitmq_prometheus")
    url = f"http://127.0.0.1:{port}/metrics/detailed?{FAMILIES}&vhost={rig.host}"
    watched = Watched("rabbitmq", url, pages=[(0, "")])
    await rig.open(idle)
    async with rig.consuming(worker):
        await rig.publish(read(1), deleted(1))
        for queue in ("consumer.reads.dlq", "idle.reads", "unroutable"):
            series = "rabbitmq_detailed_queue_messages{"
            await watched.until(f'{series}queue="{queue}"', lambda count: count == 1)
    assert rig.host in watched.pages[-1][1]
    assert 'vhost="parley"' not in watched.pages[-1][1]
    assert_fires("EventsDeadLettersRest", watched)
    assert_fires("EventsQueueAbandoned", watched)
    assert_fires("EventsUnroutable", watched)
