"""What the writer tells of itself: histograms, and one log line a commit."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from prometheus_client import Counter, Histogram

from services.chat.writer.plan import Plan

_log = structlog.get_logger()
_TRACE = slice(3, 35)  # of a traceparent
_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)

batch_messages = Histogram(
    "chat_writer_batch_messages",
    "Messages in one commit",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500),
)
refused_messages = Counter(
    "chat_writer_refused_messages", "Messages refused by backpressure"
)
_stages = Histogram(
    "chat_writer_stage_seconds",
    "Time a batch spends: waiting for its lane, planned, written, committed; the"
    " commit contains what is written",
    ["stage"],
    buckets=_SECONDS,
)
_children = {
    name: _stages.labels(name) for name in ("queue", "plan", "append", "commit")
}


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Measure a part of a batch's way; what fails is measured too."""
    started = time.perf_counter()
    try:
        yield
    finally:
        observe(name, time.perf_counter() - started)


def observe(name: str, seconds: float) -> None:
    """Count a part of a batch's way."""
    _children[name].observe(seconds)


def note_commit(plan: Plan) -> None:
    """Log a commit with the traces of its messages: one line, however many."""
    traceparents = (waiting[0].cause.traceparent for _, _, waiting in plan.writes)
    _log.info(
        "messages_stored",
        count=len(plan.writes),
        conversations=len(plan.appends),
        trace_ids=[text[_TRACE] for text in traceparents if text],
    )
