"""What is told of the events of clients: each in the metrics, some in the log.

A line costs more than the rest of a cheap event, and thousands of events come in a
second. A quiet system logs each with its trace; a busy one a steady share of them, and
always those that were slow. Failures are logged by the dispatcher itself.
"""

import structlog
from prometheus_client import Counter, Histogram

from services.chat.sockets.client import Client
from services.chat.sockets.rates import Gcra

SLOW_SECONDS = 1.0
_LINES_PER_SECOND = 20.0
_LINES_AT_ONCE = 100
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_EVENTS = Counter("chat_socket_events_total", "Events of clients", ["event", "code"])
_SECONDS = Histogram(
    "chat_socket_event_seconds",
    "From an event's arrival to its acknowledgement",
    ["event"],
    buckets=_BUCKETS,
)
_log = structlog.get_logger()


class EventLog:
    """Counts every event and logs what it may.

    Args:
        names: Of the events that are served; others are counted as ``-``.
    """

    def __init__(self, names: list[str]) -> None:
        self._handled = {name: _EVENTS.labels(name, "ok") for name in names}
        self._seconds = {name: _SECONDS.labels(name) for name in names}
        self._lines = Gcra(_LINES_PER_SECOND, _LINES_AT_ONCE)
        self._unlogged = 0

    def handled(
        self, client: Client, name: str, *, started: float, now: float, cause: str
    ) -> None:
        """Tell of an event that succeeded; to be called inside its span.

        Args:
            client: Who sent it.
            name: A name that is served.
            started: Monotonic seconds of its arrival.
            now: Monotonic seconds.
            cause: Its correlation id.
        """
        seconds = now - started
        self._handled[name].inc()
        self._seconds[name].observe(seconds)
        is_slow = seconds >= SLOW_SECONDS
        if not is_slow and self._lines.wait_seconds(now) > 0:
            self._unlogged += 1
            return
        unlogged, self._unlogged = self._unlogged, 0
        _log.info(
            "socket_event_handled",
            event_name=name,
            user_id=client.user_id,
            correlation_id=cause,
            milliseconds=round(seconds * 1000, 1),
            unlogged_before=unlogged,
        )

    def refused(self, name: str, code: str) -> None:
        """Count an event that failed or was refused."""
        _EVENTS.labels(name if name in self._handled else "-", code).inc()
