"""The rules of the HTTP API bite, each on what it is there to refuse."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts.api_lint import Exemption, findings, refused

ROOT = Path(__file__).parents[3]
LIST, SEND = "/api/v1/notes", "/api/v1/notes/{note_id}"
SCHEMAS = "#/components/schemas/"
PROBLEM = {"application/problem+json": {"schema": {"$ref": f"{SCHEMAS}Problem"}}}


def operation(name: str, **fields: Any) -> dict[str, Any]:
    """Return an operation that breaks no rule."""
    failures = {
        status: {"$ref": "#/components/responses/Refused"}
        for status in ("401", "429", "4XX", "503", "5XX")
    }
    content = {"application/json": {"schema": {"$ref": f"{SCHEMAS}Page"}}}
    return {
        "operationId": name,
        "summary": "Do it",
        "tags": ["own"],
        "security": [{"bearer": []}],
        "responses": {"200": {"description": "OK", "content": content}, **failures},
        **fields,
    }


def good() -> dict[str, Any]:
    """Return a document that breaks no rule."""
    pages = [
        {"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": 9}},
        {"name": "cursor", "in": "query", "schema": {"type": "string", "maxLength": 9}},
    ]
    body = {"content": {"application/json": {"schema": {"$ref": f"{SCHEMAS}Body"}}}}
    text = {"type": "string", "maxLength": 9}
    return {
        "tags": [{"name": "own", "description": "One's own."}],
        "paths": {
            LIST: {"get": operation("list_notes", parameters=pages)},
            SEND: {"put": operation("put_note", requestBody=body)},
        },
        "components": {
            "responses": {"Refused": {"content": PROBLEM}},
            "schemas": {
                "Problem": {},
                "Page": {
                    "type": "object",
                    "properties": {
                        "items": {"type": "array", "items": {}},
                        "next_cursor": text,
                    },
                },
                "Body": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {
                        "text": text,
                        "kinds": {"type": "array", "maxItems": 2, "items": text},
                        "at": {"type": "string", "format": "date-time"},
                        "id": {"type": "string", "pattern": "^[a-f]{8}$"},
                        "map": {
                            "type": "object",
                            "maxProperties": 3,
                            "additionalProperties": {"type": "integer"},
                        },
                    },
                },
            },
        },
    }


def rename(path: str, to: str) -> Callable[[dict[str, Any]], None]:
    """Return a spoiler that moves a path."""

    def spoil(document: dict[str, Any]) -> None:
        document["paths"][to] = document["paths"].pop(path)

    return spoil


def put(*steps: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Return a spoiler that sets one place; None takes it away."""

    def spoil(document: dict[str, Any]) -> None:
        place = document
        for step in steps[:-1]:
            place = place[step]
        if value is None:
            del place[steps[-1]]
        else:
            place[steps[-1]] = value

    return spoil


GET, PUT = ("paths", LIST, "get"), ("paths", SEND, "put")
BODY = ("components", "schemas", "Body")
PAGE = ("components", "schemas", "Page", "properties")
TEXT = {"type": "string"}
SPOILERS = {
    "a parameter in camel case": (
        "names",
        put(*PUT, "parameters", value=[{"name": "noteId", "in": "path", "schema": {}}]),
    ),
    "an operation's id": ("names", put(*PUT, "operationId", value="putNote")),
    "a field in camel case": ("names", put(*BODY, "properties", "someText", value={})),
    "an id that another has": ("ids", put(*PUT, "operationId", value="list_notes")),
    "a path with capitals": ("paths", rename(SEND, "/api/v1/Notes/{note_id}")),
    "a path with underscores": ("paths", rename(SEND, "/api/v1/my_notes/{note_id}")),
    "a path without version": ("paths", rename(SEND, "/api/notes/{note_id}")),
    "one note": ("collections", rename(SEND, "/api/v1/note/{note_id}")),
    "a list called one": ("collections", rename(LIST, "/api/v1/note")),
    "a list without limit": ("pages", put(*GET, "parameters", value=[])),
    "a list without end": ("pages", put(*PAGE, "next_cursor", value=None)),
    "no summary": ("told", put(*PUT, "summary", value=None)),
    "no tag": ("told", put(*PUT, "tags", value=None)),
    "a tag nobody describes": ("told", put(*PUT, "tags", value=["x"])),
    "nothing on access": ("told", put(*PUT, "security", value=None)),
    "deprecated, for what": ("told", put(*PUT, "deprecated", value=True)),
    "no 401": ("failures", put(*PUT, "responses", "401", value=None)),
    "no 4XX": ("failures", put(*PUT, "responses", "4XX", value=None)),
    "a failure of another form": (
        "failures",
        put(*PUT, "responses", "409", value={"content": {"text/plain": {}}}),
    ),
    "no success": ("successes", put(*PUT, "responses", "200", value=None)),
    "a success of any form": (
        "successes",
        put(*PUT, "responses", "200", "content", "application/json", value={}),
    ),
    "a text without end": ("bounds", put(*BODY, "properties", "text", value=TEXT)),
    "a pattern without end": (
        "bounds",
        put(*BODY, "properties", "text", value={**TEXT, "pattern": "^[a-z]+$"}),
    ),
    "a text or nothing": (
        "bounds",
        put(*BODY, "properties", "text", value={"anyOf": [TEXT, {"type": "null"}]}),
    ),
    "an array without end": (
        "bounds",
        put(*BODY, "properties", "kinds", "maxItems", value=None),
    ),
    "texts in an array": (
        "bounds",
        put(*BODY, "properties", "kinds", "items", value=TEXT),
    ),
    "a map without end": (
        "bounds",
        put(*BODY, "properties", "map", "maxProperties", value=None),
    ),
    "a query without end": (
        "bounds",
        put(*PUT, "parameters", value=[{"name": "q", "in": "query", "schema": TEXT}]),
    ),
    "an open body": ("closed", put(*BODY, "additionalProperties", value=True)),
    "a body that says nothing": (
        "closed",
        put(*BODY, "additionalProperties", value=None),
    ),
    "a body to read with": (
        "bodies",
        put(*GET, "requestBody", value={"content": {}}),
    ),
}


def test_a_good_document_breaks_nothing() -> None:
    """The rules can be kept."""
    assert [*findings(good())] == []


@pytest.mark.parametrize("name", SPOILERS)
def test_each_rule_bites(name: str) -> None:
    """One thing spoilt is found by its rule, and by no other."""
    rule, spoil = SPOILERS[name]
    document = copy.deepcopy(good())
    spoil(document)
    assert {one.rule for one in findings(document)} == {rule}


@pytest.mark.parametrize("where", [f"PUT {SEND} text", f"PUT {SEND}*"])
def test_an_exception_covers_its_place(where: str) -> None:
    """Exactly, or all that begins so."""
    document = good()
    put(*BODY, "properties", "text", value=TEXT)(document)
    assert refused(document, [Exemption("bounds", where, "For a test.")]) == []


@pytest.mark.parametrize(
    "exemption",
    [
        Exemption("bounds", f"PUT {SEND} kinds", "For a test."),
        Exemption("names", f"PUT {SEND} text", "For a test."),
        Exemption("bounds", f"PUT {SEND} text", ""),
    ],
)
def test_an_exception_for_something_else_covers_nothing(exemption: Exemption) -> None:
    """Another place, another rule, no reason: the finding stands, and so does it."""
    document = good()
    put(*BODY, "properties", "text", value=TEXT)(document)
    lines = refused(document, [exemption])
    assert len(lines) == 2
    assert "a text has maxLength" in lines[0]
    assert "nothing breaks" in lines[1]


def test_every_exception_has_a_reason() -> None:
    """A sentence, so that whoever comes later can judge it."""
    entries = json.loads((ROOT / "scripts/api_exceptions.json").read_text())
    assert all(entry["reason"].endswith(".") for entry in entries["exceptions"])


def test_the_own_api_keeps_its_rules() -> None:
    """What `make api-check` says of this tree."""
    document = json.loads((ROOT / "services/gateway/openapi.json").read_text())
    entries = json.loads((ROOT / "scripts/api_exceptions.json").read_text())
    exemptions = [Exemption(**entry) for entry in entries["exceptions"]]
    assert refused(document, exemptions) == []
