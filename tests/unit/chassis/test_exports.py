"""Exports: JSON lines that tell whether they are whole, read as they are taken."""

import json
from datetime import UTC, datetime

import pytest

from libs.chassis.exports import EXPORT_FORMAT, export_response
from libs.chassis.whole_lists import WHOLE_LIST_PAGE, paged
from libs.kernel import UserId

ANN = UserId("ann")


async def _lines(response):
    return [json.loads(line) async for line in response.body_iterator]


async def test_a_whole_export_begins_with_whose_and_ends_with_how_many():
    """Of whom, by whom, in which format; each record; their number."""

    async def records():
        yield "session", {"at": datetime(2026, 1, 1, tzinfo=UTC), "ids": ("a", "b")}
        yield "note", None

    response = export_response("auth", ANN, records())
    head, *told, end = await _lines(response)
    assert head["kind"] == "export"
    assert head["data"]["format"] == EXPORT_FORMAT
    assert (head["data"]["service"], head["data"]["user_id"]) == ("auth", "ann")
    assert told == [
        {"kind": "session", "data": {"at": "2026-01-01T00:00:00Z", "ids": ["a", "b"]}},
        {"kind": "note", "data": None},
    ]
    assert end == {"kind": "end", "data": {"count": 2}}
    assert response.media_type == "application/x-ndjson"
    assert response.headers["cache-control"] == "no-store"
    assert "parley-auth-ann.jsonl" in response.headers["content-disposition"]


async def test_an_export_that_breaks_off_has_no_end():
    """So nobody takes a part for the whole."""

    async def records():
        yield "note", 1
        raise ConnectionError

    lines = export_response("auth", ANN, records()).body_iterator
    assert [json.loads(await anext(lines))["kind"] for _ in range(2)] == [
        "export",
        "note",
    ]
    with pytest.raises(ConnectionError):
        await anext(lines)


@pytest.mark.parametrize("size", [0, 1, 199, 200, 201, 400, 1_001])
async def test_a_list_is_read_to_its_end_in_pages(size):
    """Each item once, and no page before the one before was taken."""
    asked = []

    async def page(after):
        asked.append(after)
        first = 0 if after is None else int(after) + 1
        return list(range(first, min(first + WHOLE_LIST_PAGE, size)))

    items = paged(page, str)
    taken = []
    async for item in items:
        assert len(asked) == item // WHOLE_LIST_PAGE + 1
        taken.append(item)
    assert taken == list(range(size))
