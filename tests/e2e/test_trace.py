"""One trace and one correlation id follow a message from the socket to the mail."""

import json

import pytest

pytestmark = pytest.mark.e2e


def lines_of(house, service: str) -> list[dict]:
    """Return a service's log as parsed lines."""
    text = house.log_path(service).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_trace_reaches_the_mail(house, told) -> None:
    """A missed message's trace id stands in chat's and notification's logs."""
    missed = [
        line["event"]
        for line in told.seen
        if line["event"]["type"] == "message.sent"
        and line["event"]["subject"] == told.story.group_id
    ][-1]
    trace_id = missed["traceparent"].split("-")[1]
    sent = [
        line["event"]
        for line in told.seen
        if line["event"]["type"] == "notification.sent"
    ]
    assert {event["traceparent"].split("-")[1] for event in sent} & {
        event["event"]["traceparent"].split("-")[1]
        for event in told.seen
        if event["event"]["type"] == "message.sent"
    }
    for service in ("chat", "notification"):
        assert any(
            line.get("trace_id") == trace_id for line in lines_of(house, service)
        )


def test_every_log_line_of_a_service_is_json(house, told) -> None:
    """Services log JSON objects with an event and a time, nothing else."""
    for service in ("auth", "chat", "gateway", "media", "notification", "project"):
        text = house.log_path(service).read_text(encoding="utf-8")
        for line in text.splitlines():
            entry = json.loads(line)
            assert entry["event"]
            assert entry["service"] == service
