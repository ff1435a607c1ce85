"""One trace follows a message from the socket to the push and the mail."""

import json

import pytest

pytestmark = pytest.mark.e2e

SERVICES = ("auth", "chat", "gateway", "media", "notification", "project")


def message_traces(told) -> set[str]:
    """Return the trace ids of the story's messages, as their events carry them."""
    return {
        line["event"]["traceparent"].split("-")[1]
        for line in told.seen
        if line["event"]["type"] == "message.sent"
        and line["event"]["subject"] == told.story.group_id
    }


def lines_of(house, service: str) -> list[dict]:
    """Return a service's log as parsed lines."""
    text = house.log_path(service).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_every_message_has_a_trace_of_its_own(told) -> None:
    """Each send over the socket begins a trace."""
    assert len(message_traces(told)) >= 6


def test_trace_reaches_the_mail(house, told) -> None:
    """The mail of a missed message names the trace of that message."""
    mail = house.mails(to=told.story.grace.email)[-1]
    assert mail["headers"]["x-parley-trace"] in message_traces(told)


def test_trace_reaches_the_push(house, told) -> None:
    """The push of a missed message names the trace of that message."""
    pushes = house.pushes(token=told.story.device_token)
    traces = {push["message"]["data"]["trace_id"] for push in pushes}
    assert traces
    assert traces <= message_traces(told)


@pytest.mark.parametrize("service", ["chat", "notification"])
def test_trace_stands_in_the_logs(house, told, service) -> None:
    """Who looks for a missed mail finds its trace where it began and ended."""
    lines = lines_of(house, service)
    logged = {line.get("trace_id") for line in lines}
    logged |= {trace for line in lines for trace in line.get("trace_ids", ())}
    assert message_traces(told) <= logged


@pytest.mark.parametrize("service", SERVICES)
def test_every_log_line_of_a_service_is_json(house, told, service) -> None:
    """Services log JSON objects with an event, a time and their name."""
    lines = lines_of(house, service)
    assert told.story.group_id
    assert lines
    assert all(line["event"] and line["timestamp"] for line in lines)
    assert {line["service"] for line in lines} == {service}
