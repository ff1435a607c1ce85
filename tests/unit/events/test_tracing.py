"""Correlation, causation and traces: what is kept, what is made of nonsense."""

import structlog
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from libs.events import tracing
from libs.events.timing import id_age_seconds
from libs.kernel import new_id

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


def exporter_for(monkeypatch):
    """Record the library's spans."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "tracer", provider.get_tracer("test"))
    return exporter


def test_traceparent_is_read_and_written():
    """A valid one comes back as it was; nonsense is nothing."""
    span = tracing.parse_traceparent(PARENT)
    assert tracing.traceparent_of(span) == PARENT
    for text in (None, "", "00-x-y-z", "00-0-0-00", f"00-{TRACE}"):
        assert tracing.parse_traceparent(text) is None
    assert tracing.traceparent_of(trace.INVALID_SPAN_CONTEXT) is None


def test_a_consumed_event_belongs_to_its_producers_trace(monkeypatch):
    """The span is a child of the one that published it."""
    exporter = exporter_for(monkeypatch)
    with tracing.consume_span("chat.reads", "conversation.read", "id", PARENT):
        pass
    with tracing.consume_span("chat.reads", "conversation.read", "id", None):
        pass
    child, root = exporter.get_finished_spans()
    assert f"{child.context.trace_id:032x}" == TRACE
    assert root.parent is None


def test_a_frame_of_one_joins_its_trace_and_of_many_links_to_each(monkeypatch):
    """Publishing is seen from every event's trace."""
    exporter = exporter_for(monkeypatch)
    with tracing.publish_span("message.events", "message.sent", [PARENT]):
        pass
    with tracing.publish_span("message.events", "message.sent", [PARENT, None]):
        pass
    one, many = exporter.get_finished_spans()
    assert f"{one.context.trace_id:032x}" == TRACE
    assert many.parent is None
    assert len(many.links) == 1


def test_handling_binds_and_unbinds_what_logs_show():
    """Ids are there inside and gone after; a kept cause does not leak in."""
    with (
        tracing.caused_by(tracing.Cause("outer", "request", None)),
        tracing.handling("e1", "message.sent", "story", PARENT),
    ):
        assert tracing.current_cause().correlation_id == "story"
        assert tracing.current_cause().causation_id == "e1"
        bound = structlog.contextvars.get_contextvars()
        assert bound["event_id"] == "e1"
        assert bound["event_type"] == "message.sent"
        assert bound["trace_id"] == TRACE
    assert tracing.correlation_id.get() is None
    assert "event_id" not in structlog.contextvars.get_contextvars()


def test_a_cause_that_was_kept_is_what_is_published():
    """A writer publishes on behalf of the request that queued the command."""
    cause = tracing.Cause("story", "request", PARENT)
    with tracing.caused_by(cause):
        assert tracing.current_cause() == cause
    assert tracing.current_cause() == tracing.Cause(None, None, None)


def test_an_id_tells_its_age():
    """UUIDv7 begins with its time; what is none has no age."""
    assert 0 <= id_age_seconds(new_id()) < 1
    assert id_age_seconds("nonsense") == 0.0
