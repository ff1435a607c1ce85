"""What each dashboard shows: one table, from which Grafana's JSON is made."""

from dataclasses import dataclass

_JOB = 'job=~"$job"'
_DEAD = 'queue=~".+[.]dlq"'
_UNREACHED = 'job="gateway", code=~"upstream_.+"'


@dataclass(frozen=True)
class Panel:
    """One graph.

    Attributes:
        title: What it shows.
        queries: Legend and PromQL of each line.
        unit: Of its axis, in Grafana's words (``s``, ``reqps``, ``percentunit``, ...).
        hint: What to make of it; shown at the corner of the panel.
    """

    title: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    hint: str = ""


@dataclass(frozen=True)
class Dashboard:
    """One page.

    Attributes:
        uid: Stable id, part of its address and the name of its file.
        title: In the list of dashboards.
        panels: Two a row, in this order.
    """

    uid: str
    title: str
    panels: tuple[Panel, ...]


def _buckets(metric: str, by: str, labels: str) -> str:
    return f"sum by ({by}, le) (rate({metric}_bucket{{{labels}}}[5m]))"


def _quantiles(metric: str, by: str, labels: str = _JOB) -> tuple[tuple[str, str], ...]:
    """Return median and 99th percentile of a histogram, a line for each `by`."""
    return tuple(
        (
            f"{{{{{by}}}}} p{int(share * 100)}",
            f"histogram_quantile({share}, {_buckets(metric, by, labels)})",
        )
        for share in (0.5, 0.99)
    )


def _rate(metric: str, *by: str, labels: str = _JOB) -> tuple[tuple[str, str], ...]:
    """Return how often a second, a line for each combination of `by`."""
    legend = " ".join(f"{{{{{label}}}}}" for label in by)
    expression = f"sum by ({', '.join(by)}) (rate({metric}{{{labels}}}[5m]))"
    return ((legend, expression),)


def _most(metric: str, *by: str) -> tuple[tuple[str, str], ...]:
    """Return the highest value of a gauge, a line for each combination of `by`."""
    legend = " ".join(f"{{{{{label}}}}}" for label in by)
    return ((legend, f"max by ({', '.join(by)}) ({metric}{{{_JOB}}})"),)


_HOUSE = Dashboard(
    "parley-house",
    "Parley: the house",
    (
        Panel("Processes that answer", (("{{job}}", f"sum by (job) (up{{{_JOB}}})"),)),
        Panel(
            "Requests",
            (("{{job}}", f"job:http_requests:rate5m{{{_JOB}}}"),),
            "reqps",
        ),
        Panel(
            "Answered with 5xx",
            (("{{job}}", f"job:http_server_errors:ratio5m{{{_JOB}}}"),),
            "percentunit",
            "ServiceErrors alerts at 5 %.",
        ),
        Panel("Time of a request", _quantiles("http_request_seconds", "job"), "s"),
        Panel("Errors by code", _rate("http_errors_total", "job", "code"), "reqps"),
        Panel(
            "Lateness of the event loop",
            _most("event_loop_lag_seconds", "job", "instance"),
            "s",
            "Saturation: a process that is late has more to do than a core can.",
        ),
        Panel(
            "Background tasks that failed",
            _rate("background_task_restarts_total", "job", "task"),
        ),
        Panel(
            "Versions",
            (("{{job}} {{version}}", "count by (job, version) (parley_build_info)"),),
        ),
    ),
)

_MESSAGES = Dashboard(
    "parley-messages",
    "Parley: messages and sockets",
    (
        Panel(
            "From a client's event to its acknowledgement",
            _quantiles("chat_socket_event_seconds", "event"),
            "s",
            "ChatSlowToAcknowledge alerts at 0.5 s (p99 of message.send).",
        ),
        Panel("Events of clients", _rate("chat_socket_events_total", "event", "code")),
        Panel(
            "Open sockets",
            (("{{instance}}", f"sum by (instance) (chat_sockets{{{_JOB}}})"),),
        ),
        Panel("Deliveries to sockets", _rate("chat_live_deliveries_total", "instance")),
        Panel(
            "Stages of a commit",
            _quantiles("chat_writer_stage_seconds", "stage"),
            "s",
            "Waiting for the lane, planned, written, committed.",
        ),
        Panel("Messages in a commit", _quantiles("chat_writer_batch_messages", "job")),
        Panel(
            "Messages sent back as too many",
            _rate("chat_writer_refused_messages_total", "instance"),
        ),
        Panel(
            "Partitions with a writer",
            _most("chat_writer_partitions_owned", "instance"),
        ),
        Panel(
            "Holes filled from the database",
            _rate("chat_live_filled_holes_total", "instance"),
        ),
        Panel("Sockets closed by us", _rate("chat_socket_closed_total", "reason")),
    ),
)

_EVENTS = Dashboard(
    "parley-events",
    "Parley: events",
    (
        Panel(
            "Age of the oldest unpublished event",
            _most("events_outbox_age_seconds", "job"),
            "s",
        ),
        Panel("Events waiting to be published", _most("events_outbox_rows", "job")),
        Panel("Published", _rate("events_published_total", "job")),
        Panel(
            "Refused or returned by the broker",
            _rate("events_returned_total", "type", "reason"),
        ),
        Panel("Handled", _rate("events_handled_total", "subscription")),
        Panel(
            "From event to handler",
            _quantiles("events_consumer_lag_seconds", "subscription"),
            "s",
        ),
        Panel(
            "Time in handlers",
            _quantiles("events_handler_seconds", "subscription"),
            "s",
        ),
        Panel(
            "Tried again later", _rate("events_retried_total", "subscription", "tier")
        ),
        Panel(
            "Dead letters that rest",
            (
                (
                    "{{queue}}",
                    f"max by (queue) (rabbitmq_detailed_queue_messages{{{_DEAD}}})",
                ),
            ),
        ),
        Panel(
            "Frames waiting in queues",
            (("{{queue}}", "max by (queue) (rabbitmq_detailed_queue_messages)"),),
        ),
    ),
)

_EDGES = Dashboard(
    "parley-edges",
    "Parley: gateway, mail, push, files, audit",
    (
        Panel(
            "Requests that reached no service",
            _rate("http_errors_total", "code", labels=_UNREACHED),
            "reqps",
            "An open breaker counts as upstream_unavailable.",
        ),
        Panel(
            "Requests under way at the gateway",
            _most("gateway_requests_under_way", "instance"),
        ),
        Panel("Requests shed", _rate("gateway_requests_shed_total", "priority")),
        Panel(
            "Refused by limits",
            (
                (
                    "{{job}}",
                    'sum by (job) (rate(http_errors_total{code="rate_limited"}[5m]))',
                ),
            ),
        ),
        Panel(
            "Mail and push",
            _rate("notification_deliveries_total", "channel", "outcome"),
        ),
        Panel("Uploads", _rate("media_documents_total", "outcome")),
        Panel(
            "Audit records without a number",
            _most("audit_seal_age_seconds", "job"),
            "s",
        ),
        Panel(
            "Audit links without a checkpoint",
            _most("audit_checkpoint_age_seconds", "job"),
            "s",
        ),
    ),
)

DASHBOARDS = (_HOUSE, _MESSAGES, _EVENTS, _EDGES)
"""All of them, in the order of the list."""
