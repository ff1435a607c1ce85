"""What fault tests lay out for promtool is what they saw."""

import pytest

from scripts.alerts_page import problems
from tests.support.firing import Watched, assert_fires

BEFORE = """\
# TYPE http_requests_total counter
http_requests_total{status="200"} 10
# TYPE chat_writer_partitions_owned gauge
chat_writer_partitions_owned 32
# TYPE events_outbox_age_seconds gauge
events_outbox_age_seconds 0
"""
AFTER = """\
# TYPE http_requests_total counter
http_requests_total{status="200"} 10
http_requests_total{status="503"} 1
# TYPE chat_writer_partitions_owned gauge
chat_writer_partitions_owned 32
# TYPE events_outbox_age_seconds gauge
events_outbox_age_seconds 0.5
"""


def seen(instance: str, last: str | None) -> Watched:
    """Return a process as it was seen before a fault and two seconds later."""
    return Watched("chat", instance, pages=[(0.0, BEFORE), (2.0, last)])


def test_what_counts_goes_on() -> None:
    """One failure in two seconds is thirty a minute."""
    assert_fires("ServiceErrors", seen("a", AFTER))


def test_without_a_fault_nothing_fires() -> None:
    """The judge is promtool, and it says no."""
    with pytest.raises(AssertionError, match="got: nil"):
        assert_fires("ServiceErrors", seen("a", BEFORE))


def test_a_process_that_is_gone_has_nothing() -> None:
    """Two processes own all of it together, one alone half."""
    processes = (seen("a", None), seen("b", AFTER))

    assert_fires("ServiceDown", *processes)
    assert_fires("ChatPartitionsUnowned", *processes)


def test_what_fired_before_proves_nothing() -> None:
    """One process never owned enough."""
    with pytest.raises(AssertionError, match="exp: nil"):
        assert_fires("ChatPartitionsUnowned", seen("b", AFTER))


def test_an_age_grows() -> None:
    """Half a second is no alarm; an hour of it is."""
    with pytest.raises(AssertionError, match="got: nil"):
        assert_fires("EventsOutboxStuck", seen("a", AFTER))
    ages = ["events_outbox_age_seconds"]
    assert_fires("EventsOutboxStuck", seen("a", AFTER), ages=ages)


def test_every_alert_is_proven_or_explained() -> None:
    """Never both, never neither."""
    assert problems() == []
