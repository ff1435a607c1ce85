"""Who caused what: correlation, causation and trace, from one context variable.

Chassis sets `correlation_id` for each request; a consumer sets it for each event.
What is published meanwhile carries it on. A writer that commits for many requests at
once keeps each one's `Cause` beside its command and publishes inside `caused_by`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

import structlog
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, TraceFlags

correlation_id: ContextVar[str | None] = ContextVar("correlation_id", default=None)
"""Id of the user action that is being served; None outside of one."""

causation_id: ContextVar[str | None] = ContextVar("causation_id", default=None)
"""Id of the event or request whose handling is under way."""

tracer = trace.get_tracer("libs.events")

_cause: ContextVar["Cause | None"] = ContextVar("cause", default=None)


class Cause(NamedTuple):
    """What an event inherits from the action that published it.

    Attributes:
        correlation_id: None: the event starts a story of its own.
        causation_id: Id of the parent event or request.
        traceparent: W3C trace context, version 00; None without a valid span.
    """

    correlation_id: str | None
    causation_id: str | None
    traceparent: str | None


def current_cause() -> Cause:
    """Return the cause that an event published here and now would carry."""
    kept = _cause.get()
    if kept is not None:
        return kept
    span = trace.get_current_span().get_span_context()
    return Cause(correlation_id.get(), causation_id.get(), traceparent_of(span))


@contextmanager
def caused_by(cause: Cause) -> Iterator[None]:
    """Publish on behalf of an action that began elsewhere, for example in a queue."""
    token = _cause.set(cause)
    try:
        yield
    finally:
        _cause.reset(token)


def traceparent_of(span: SpanContext) -> str | None:
    """Return the W3C ``traceparent`` of a span, None if it is not valid."""
    if not span.is_valid:
        return None
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{int(span.trace_flags):02x}"


def parse_traceparent(text: str | None) -> SpanContext | None:
    """Return the remote span that a ``traceparent`` names; None if there is none."""
    parts = (text or "").split("-")
    if len(parts) < 4:  # noqa: PLR2004 - version, trace, span, flags
        return None
    try:
        span = SpanContext(
            trace_id=int(parts[1], 16),
            span_id=int(parts[2], 16),
            is_remote=True,
            trace_flags=TraceFlags(int(parts[3], 16)),
        )
    except ValueError:
        return None
    return span if span.is_valid else None


def has_tracer() -> bool:
    """Whether anybody records spans; else opening one is work for nothing."""
    return not (
        isinstance(tracer, trace.ProxyTracer)
        and isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
    )


@contextmanager
def consume_span(
    subscription: str, event_type: str, event_id: str, traceparent: str | None
) -> Iterator[Span]:
    """Open the span of handling one event, child of the span that published it."""
    if not has_tracer() and traceparent is None:
        yield trace.INVALID_SPAN
        return
    parent = parse_traceparent(traceparent)
    context = (
        trace.set_span_in_context(trace.NonRecordingSpan(parent))
        if parent
        else otel_context.Context()
    )
    attributes = {
        "messaging.system": "rabbitmq",
        "messaging.operation.type": "process",
        "messaging.destination.subscription.name": subscription,
        "messaging.message.id": event_id,
        "parley.event.type": event_type,
    }
    with tracer.start_as_current_span(
        f"process {event_type}",
        context=context,
        kind=SpanKind.CONSUMER,
        attributes=attributes,
    ) as span:
        yield span


@contextmanager
def publish_span(
    exchange: str, event_type: str, traceparents: Sequence[str | None]
) -> Iterator[Span]:
    """Open the span of publishing one frame.

    A frame of one event belongs to that event's trace; a frame of several is a trace
    of its own with a link to each.
    """
    if not has_tracer():
        yield trace.INVALID_SPAN
        return
    parents = [found for text in traceparents if (found := parse_traceparent(text))]
    context = otel_context.Context()
    if len(traceparents) == len(parents) == 1:
        context = trace.set_span_in_context(trace.NonRecordingSpan(parents.pop()))
    attributes: dict[str, str | int] = {
        "messaging.system": "rabbitmq",
        "messaging.operation.type": "send",
        "messaging.destination.name": exchange,
        "messaging.batch.message_count": len(traceparents),
        "parley.event.type": event_type,
    }
    with tracer.start_as_current_span(
        f"send {event_type}",
        context=context,
        kind=SpanKind.PRODUCER,
        attributes=attributes,
        links=[Link(parent) for parent in parents],
    ) as span:
        yield span


@contextmanager
def handling(
    event_id: str, event_type: str, correlation: str, traceparent: str | None
) -> Iterator[None]:
    """Bind the ids of the event being handled, for logs and for what it publishes."""
    parent = parse_traceparent(traceparent)
    bound = {
        "event_id": event_id,
        "event_type": event_type,
        "correlation_id": correlation,
    }
    if parent is not None:
        bound["trace_id"] = f"{parent.trace_id:032x}"
    correlation_token = correlation_id.set(correlation)
    causation_token = causation_id.set(event_id)
    cause_token = _cause.set(None)
    tokens = structlog.contextvars.bind_contextvars(**bound)
    try:
        yield
    finally:
        structlog.contextvars.reset_contextvars(**tokens)
        _cause.reset(cause_token)
        causation_id.reset(causation_token)
        correlation_id.reset(correlation_token)
