"""Merging the services' descriptions into the one that the gateway serves."""

from typing import Any

import msgspec
import pytest

from scripts.api_description import MergeError, merge
from services.gateway.domain.route import Route
from services.gateway.domain.routing import RouteTable

PROBLEM = {"type": "object", "required": ["code", "detail"], "properties": {}}


def table_of(*entries: dict[str, Any]) -> RouteTable:
    """Return a table with some routes."""
    return RouteTable(
        [msgspec.convert(entry, Route) for entry in entries],
        services=frozenset({"auth", "chat"}),
        limit_classes=frozenset({"default"}),
    )


TABLE = table_of(
    {"prefix": "/api/v1/notes", "methods": ["GET"], "service": "chat"},
    {
        "prefix": "/api/v1/files",
        "methods": ["GET", "PUT"],
        "service": "chat",
        "scopes": ["files:read", "files:write"],
    },
    {
        "prefix": "/api/v1/keys",
        "methods": ["GET"],
        "service": "auth",
        "is_anonymous": True,
    },
    {
        "prefix": "/api/v1/exit",
        "methods": ["POST"],
        "service": "auth",
        "is_anonymous": True,
        "reads_token": True,
    },
)


def operation(schema: str = "Note", **fields: Any) -> dict[str, Any]:
    """Return a GET as FastAPI describes it."""
    content = {"schema": {"$ref": f"#/components/schemas/{schema}"}}
    return {
        "operationId": "list_notes",
        "summary": "List Notes",
        "description": "List the notes,\nnewest first.\n\nAll of them.",
        "tags": ["own"],
        "responses": {
            "200": {"description": "OK", "content": {"application/json": content}},
            "422": {"description": "Never sent."},
        },
        **fields,
    }


def document(
    path: str, described: dict[str, Any], method: str = "get", **schemas: Any
) -> dict[str, Any]:
    """Return a service's document of one operation."""
    return {
        "paths": {path: {method: described}},
        "components": {"schemas": {"Problem": PROBLEM, **schemas}},
    }


def reference(found: dict[str, Any]) -> str:
    """Return the schema that an operation's 200 refers to."""
    content = found["responses"]["200"]["content"]["application/json"]
    return str(content["schema"]["$ref"]).removeprefix("#/components/schemas/")


def test_what_the_table_does_not_serve_is_left_out() -> None:
    """Neither what no route leads to, nor what leads to another service."""
    note = {"type": "object"}
    merged = merge(
        {
            "chat": document("/api/v1/notes", operation(), Note=note),
            "auth": document("/api/v1/notes/{id}", operation(), Note=note),
            "media": document("/api/v1/films", operation(), Note=note),
        },
        TABLE,
    )
    assert list(merged["paths"]) == ["/api/v1/notes"]


def test_a_method_that_is_not_routed_is_left_out() -> None:
    """405 is no operation."""
    note = {"type": "object"}
    described = document("/api/v1/notes", operation(), "delete", Note=note)
    assert merge({"chat": described}, TABLE)["paths"] == {}


def test_schemas_of_one_name_and_two_meanings_are_told_apart() -> None:
    """By their service; what refers to them too, and what is the same stays shared."""
    part = {"type": "object", "properties": {"key": {"type": "string"}}}
    holder = {"type": "object", "properties": {"p": {"$ref": "#/components/schemas/P"}}}
    same = {"type": "string", "enum": ["a"]}
    merged = merge(
        {
            "chat": document(
                "/api/v1/notes", operation("Holder"), Holder=holder, P=part, Same=same
            ),
            "auth": document(
                "/api/v1/keys", operation("Holder"), Holder=holder, P=same, Same=same
            ),
        },
        TABLE,
    )
    schemas = merged["components"]["schemas"]
    assert reference(merged["paths"]["/api/v1/notes"]["get"]) == "ChatHolder"
    assert reference(merged["paths"]["/api/v1/keys"]["get"]) == "AuthHolder"
    assert schemas["ChatHolder"]["properties"]["p"]["$ref"].endswith("/ChatP")
    assert schemas["ChatP"] == part
    assert schemas["AuthP"] == same
    assert "Same" not in schemas  # nothing that is served leads there
    assert "Problem" in schemas


def test_the_summary_is_the_first_sentence_of_what_the_code_says() -> None:
    """Not the function's name."""
    note = {"type": "object"}
    merged = merge({"chat": document("/api/v1/notes", operation(), Note=note)}, TABLE)
    found = merged["paths"]["/api/v1/notes"]["get"]
    assert found["summary"] == "List the notes, newest first"
    assert found["description"] == "All of them."


@pytest.mark.parametrize(
    ("service", "path", "method", "security", "has_401"),
    [
        ("chat", "/api/v1/notes", "get", [{"bearer": []}], True),
        (
            "chat",
            "/api/v1/files",
            "get",
            [{"bearer": []}, {"personal": ["files:read"]}],
            True,
        ),
        (
            "chat",
            "/api/v1/files",
            "put",
            [{"bearer": []}, {"personal": ["files:write"]}],
            True,
        ),
        ("auth", "/api/v1/keys", "get", [], False),
        ("auth", "/api/v1/exit", "post", [{}, {"bearer": []}], False),
        ("gateway", "/api/v1/status", "get", [], False),
    ],
)
def test_who_may_call_is_the_tables_word(
    service: str,
    path: str,
    method: str,
    security: list[dict[str, list[str]]],
    *,
    has_401: bool,
) -> None:
    """Any token, one with a scope, or none; the gateway's own routes are open."""
    described = document(path, operation(), method, Note={"type": "object"})
    found = merge({service: described}, TABLE)["paths"][path][method]
    assert found["security"] == security
    assert ("401" in found["responses"]) is has_401
    assert {"429", "4XX", "503", "5XX"} <= found["responses"].keys()
    assert "422" not in found["responses"]


def test_headers_that_the_gateway_takes_away_are_no_parameters() -> None:
    """A client cannot send what the gateway says of it."""
    parameters = [
        {"name": name, "in": where, "schema": {"type": "string"}}
        for name, where in (
            ("X-Client-Address", "header"),
            ("Accept-Language", "header"),
            ("limit", "query"),
        )
    ]
    described = operation(parameters=parameters)
    note = {"type": "object"}
    merged = merge({"chat": document("/api/v1/notes", described, Note=note)}, TABLE)
    found = merged["paths"]["/api/v1/notes"]["get"]["parameters"]
    assert [one["name"] for one in found] == ["Accept-Language", "limit"]


def test_a_redirect_is_an_address_without_a_body() -> None:
    """The framework describes a body that is never sent."""
    answer = {"description": "Go", "content": {"application/json": {"schema": {}}}}
    described = operation(responses={"302": answer})
    merged = merge({"chat": document("/api/v1/notes", described)}, TABLE)
    found = merged["paths"]["/api/v1/notes"]["get"]["responses"]["302"]
    assert found.keys() == {"description", "headers"}
    assert "Location" in found["headers"]


def test_what_is_deprecated_stays_marked() -> None:
    """The mark of a service's own description is kept."""
    described = operation(deprecated=True)
    note = {"type": "object"}
    merged = merge({"chat": document("/api/v1/notes", described, Note=note)}, TABLE)
    assert merged["paths"]["/api/v1/notes"]["get"]["deprecated"] is True


def test_an_operation_that_two_describe_is_refused() -> None:
    """One of the two would be hidden."""
    described = document("/api/v1/notes", operation(), Note={"type": "object"})
    with pytest.raises(MergeError, match="twice"):
        merge({"chat": described, "gateway": described}, TABLE)


def test_the_documents_that_were_merged_are_not_changed() -> None:
    """They are written apart, as the services' own."""
    described = document("/api/v1/notes", operation(), Note={"type": "object"})
    before = msgspec.json.encode(described)
    merge({"chat": described}, TABLE)
    assert msgspec.json.encode(described) == before


def test_an_operation_of_a_deprecated_route_is_marked() -> None:
    """Who generates a client from the document sees it too."""
    entry = {"prefix": "/api/v1/notes", "methods": ["GET"], "service": "chat"}
    table = table_of(entry | {"deprecation": {"since": "2026-12-01"}})
    described = document("/api/v1/notes", operation(), Note={"type": "object"})
    merged = merge({"chat": described}, table)
    assert merged["paths"]["/api/v1/notes"]["get"]["deprecated"] is True
