"""Which events of clients are logged, and that all are counted."""

from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from services.chat.sockets.event_log import EventLog
from tests.unit.chat.test_sockets import client

NAME = "presence.set"


def counted(code: str, name: str = NAME) -> float:
    """Return how many events were counted."""
    labels = {"event": name, "code": code}
    return REGISTRY.get_sample_value("chat_socket_events_total", labels) or 0.0


def handle(told: EventLog, count: int, *, at: float, seconds: float = 0.01) -> int:
    """Tell of events that end at one moment; return how many were logged."""
    with capture_logs() as lines:
        for _ in range(count):
            told.handled(client(), NAME, started=at - seconds, now=at, cause="c")
    return len(lines)


def test_a_quiet_system_logs_every_event() -> None:
    """Who looks for one finds its line."""
    told = EventLog([NAME])
    assert sum(handle(told, 10, at=100.0 + second) for second in range(5)) == 50


def test_a_busy_system_logs_a_share_and_counts_all() -> None:
    """Lines stay bounded, and the next one says how many were left out."""
    told, before = EventLog([NAME]), counted("ok")
    assert handle(told, 5_000, at=100.0) == 100
    assert handle(told, 5_000, at=101.0) == 20
    assert counted("ok") - before == 10_000
    with capture_logs() as lines:
        told.handled(client(), NAME, started=102.0, now=102.0, cause="c")
    assert lines[0]["unlogged_before"] == 4_980


def test_a_slow_event_is_always_logged() -> None:
    """However busy it is."""
    told = EventLog([NAME])
    handle(told, 1_000, at=100.0)
    assert handle(told, 3, at=100.0, seconds=1.5) == 3


def test_unknown_names_share_one_counter() -> None:
    """What clients make up is no label."""
    told, before = EventLog([NAME]), counted("event_unknown", "-")
    told.refused("made.up", "event_unknown")
    told.refused(NAME, "rate_limited")
    assert counted("event_unknown", "-") - before == 1
