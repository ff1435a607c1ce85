"""Traces: W3C trace context through every service, exported only when asked for.

Without a collector no SDK span is made: ids are drawn, passed on and logged, which
costs a few microseconds a request.
"""

import random

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, TraceFlags

from libs.chassis.settings import ServiceSettings
from libs.chassis.version import VERSION

_TRACE_BITS = 128
_SPAN_BITS = 64
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)


def configure_telemetry(settings: ServiceSettings) -> None:
    """Install the tracer provider of this process; later calls change nothing."""
    trace.set_tracer_provider(make_tracer_provider(settings))


def make_tracer_provider(settings: ServiceSettings) -> trace.TracerProvider:
    """Return a provider that exports over OTLP/HTTP, or one that only draws ids."""
    if not settings.otlp_endpoint:
        return IdTracerProvider()
    return _exporting_provider(settings, settings.otlp_endpoint)


def _exporting_provider(
    settings: ServiceSettings, endpoint: str
) -> trace.TracerProvider:
    # Imported where it is wanted: the SDK costs 10 MB and a tenth of a second.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    resource = Resource.create(
        {
            "service.name": settings.service_name(),
            "service.version": VERSION,
            "service.instance.id": settings.instance_id,
            "deployment.environment.name": settings.environment,
        }
    )
    provider = TracerProvider(resource=resource)
    url = f"{endpoint.rstrip('/')}/v1/traces"
    provider.add_span_processor(
        BatchSpanProcessor(OTLPSpanExporter(endpoint=url, timeout=5))
    )
    return provider


def shutdown_telemetry() -> None:
    """Export what is buffered; blocks up to the exporter's timeout."""
    shutdown = getattr(trace.get_tracer_provider(), "shutdown", None)
    if shutdown is not None:
        shutdown()


class IdTracerProvider(trace.TracerProvider):
    """Makes spans that carry ids and record nothing."""

    def get_tracer(self, *_: object, **__: object) -> trace.Tracer:
        """Return the one tracer."""
        return _IdTracer()


class _IdTracer(trace.Tracer):
    def start_span(
        self,
        name: str,  # noqa: ARG002 - the interface's
        context: Context | None = None,
        *_: object,
        **__: object,
    ) -> Span:
        return NonRecordingSpan(_child(trace.get_current_span(context)))

    def start_as_current_span(  # type: ignore[override]  # as above
        self, name: str, context: Context | None = None, *_: object, **__: object
    ) -> "_CurrentSpan":
        return _CurrentSpan(self.start_span(name, context))


class _CurrentSpan:
    """Makes a span the current one; nothing of an error is recorded on it."""

    __slots__ = ("_span", "_token")

    def __init__(self, span: Span) -> None:
        self._span = span

    def __enter__(self) -> Span:
        self._token = attach(trace.set_span_in_context(self._span))
        return self._span

    def __exit__(self, *_: object) -> None:
        detach(self._token)


def _child(parent_span: Span) -> SpanContext:
    # Ids need to be different, not unguessable: `random` is ten times as fast.
    parent = parent_span.get_span_context()
    span_id = random.getrandbits(_SPAN_BITS) or 1
    if parent.is_valid:
        return SpanContext(
            parent.trace_id,
            span_id,
            is_remote=False,
            trace_flags=parent.trace_flags,
            trace_state=parent.trace_state,
        )
    trace_id = random.getrandbits(_TRACE_BITS) or 1
    return SpanContext(trace_id, span_id, is_remote=False, trace_flags=_SAMPLED)
