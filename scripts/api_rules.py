"""The rules that the HTTP API keeps, over its merged description.

Each yields what breaks it: where (operation, field or schema), and what is wrong.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from scripts.api_description import operations_of
from scripts.api_operation import Operation, Schema
from scripts.api_schemas import SCHEMAS

_SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_SEGMENT = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*(\.json)?|\{[a-z0-9_]+\}")
_VERSIONED = re.compile(r"/api/v[0-9]+(/.+)")
_SUMMARY_CHARACTERS = 100
_EMPTY = {"202", "204"}
_WITHOUT_BODY = {"GET", "HEAD", "DELETE"}
_BOUNDS = {"maxLength", "enum", "const"}
_REPEATED = re.compile(r"[+*]|\{\d+,\}")
_BOUNDED_FORMATS = {"date", "date-time", "uuid"}

Broken = Iterator[tuple[str, str]]


def names_are_snake_case(operation: Operation) -> Broken:
    """Parameters and the operation's own id."""
    described = operation.described
    for one in described.get("parameters", ()):
        if one["in"] != "header" and not _SNAKE.fullmatch(one["name"]):
            yield f"{operation.where} {one['name']}", "parameters are snake_case"
    if not _SNAKE.fullmatch(described.get("operationId", "")):
        yield operation.where, "operationId is snake_case"


def paths_are_plain(operation: Operation) -> Broken:
    """A version, then kebab-case words and ids."""
    versioned = _VERSIONED.fullmatch(operation.path)
    segments = versioned[1].split("/")[1:] if versioned else [""]
    if not all(_SEGMENT.fullmatch(segment) for segment in segments):
        yield operation.where, "a path is /api/v1/ and kebab-case segments"


def collections_are_plural(operation: Operation) -> Broken:
    """What an id selects from, and what a list is called."""
    follower = "{" if _is_list(operation) else ""
    place = ""
    for segment, following in pairwise([*operation.path.split("/"), follower]):
        place += f"/{segment}" if segment else ""
        is_collection = following[:1] == "{" and segment[:1] != "{"
        if is_collection and not segment.endswith("s"):
            yield place, f"{segment!r} is a collection: plural"


def lists_have_pages(operation: Operation) -> Broken:
    """Lists take limit and cursor and answer items and next_cursor."""
    if not _is_list(operation):
        return
    parameters, properties = operation.parameters, operation.answer["properties"]
    if "maximum" not in parameters.get("limit", {}) or "cursor" not in parameters:
        yield operation.where, "a list takes limit (with a maximum) and cursor"
    if not {"items", "next_cursor"} <= properties.keys():
        yield operation.where, "a list answers items and next_cursor"


def operations_are_told(operation: Operation) -> Broken:
    """A summary, one tag that is described, and who may call."""
    described, document = operation.described, operation.document
    if not 0 < len(described.get("summary", "")) <= _SUMMARY_CHARACTERS:
        yield operation.where, f"a summary of 1 to {_SUMMARY_CHARACTERS} characters"
    told = {tag["name"] for tag in document["tags"] if tag["description"]}
    if len(described.get("tags", ())) != 1 or not told.issuperset(described["tags"]):
        yield operation.where, "one tag, described in scripts/api_tags.json"
    if "security" not in described:
        yield operation.where, "security is said, if only that there is none"
    if described.get("deprecated") and not described.get("description"):
        yield operation.where, "what is deprecated says what to use instead"


def failures_are_problems(operation: Operation) -> Broken:
    """Every kind of failure is there, as a problem."""
    responses = operation.described["responses"]
    needed = {"4XX", "429", "503", "5XX"}
    if {"bearer": []} in operation.described.get("security", ()):
        needed.add("401")
    if {} in operation.described.get("security", ()):
        needed.discard("401")
    for status in sorted(needed - responses.keys()):
        yield operation.where, f"no response {status}"
    for status in sorted(s for s in responses if s[0] in "45"):
        content = operation.resolved(responses[status]).get("content", {})
        schema = content.get("application/problem+json", {}).get("schema", {})
        if schema != {"$ref": f"{SCHEMAS}Problem"}:
            yield operation.where, f"{status} is no problem"


def successes_have_a_shape(operation: Operation) -> Broken:
    """A success that brings something says what."""
    responses = operation.described["responses"]
    good = {s: r for s, r in responses.items() if s[0] in "23"}
    if not good:
        yield operation.where, "no success"
    for status in sorted(s for s in good if s[0] == "2" and s not in _EMPTY):
        contents = good[status].get("content", {}).values()
        if not any(content.get("schema") for content in contents):
            yield operation.where, f"{status} has no schema"


def requests_are_bounded(operation: Operation) -> Broken:
    """Texts, arrays and maps of a body, and texts of a query, have a greatest size."""
    for name, schema in operation.parameters.items():
        yield from _unbounded(operation, schema, f"{operation.where} ?{name}")
    for schema in operation.bodies:
        yield from _unbounded(operation, schema, operation.where)


def requests_are_closed(operation: Operation) -> Broken:
    """A body's objects take no field that nobody knows."""
    for where, schema in operation.within(*operation.bodies):
        is_map = "patternProperties" in schema or isinstance(
            schema.get("additionalProperties"), Mapping
        )
        is_closed = schema.get("additionalProperties") is False
        if schema.get("type") == "object" and not is_map and not is_closed:
            yield where, "additionalProperties is false"


def reading_has_no_body(operation: Operation) -> Broken:
    """GET and DELETE say it all in their address."""
    if operation.method in _WITHOUT_BODY and "requestBody" in operation.described:
        yield operation.where, f"{operation.method} takes no body"


RULES: dict[str, Callable[[Operation], Broken]] = {
    "names": names_are_snake_case,
    "paths": paths_are_plain,
    "collections": collections_are_plural,
    "pages": lists_have_pages,
    "told": operations_are_told,
    "failures": failures_are_problems,
    "successes": successes_have_a_shape,
    "bounds": requests_are_bounded,
    "closed": requests_are_closed,
    "bodies": reading_has_no_body,
}


def broken_names_of_fields(document: Mapping[str, Any]) -> Broken:
    """Yield the fields of all schemas that are not in snake_case."""
    for name, schema in document["components"]["schemas"].items():
        for field in schema.get("properties", ()):
            if not _SNAKE.fullmatch(field):
                yield f"{name}.{field}", "fields are snake_case"


def repeated_ids(document: Mapping[str, Any]) -> Broken:
    """Yield the operations whose id another has too."""
    seen: dict[str, str] = {}
    for method, path, described in operations_of(document):
        identity, where = described.get("operationId", ""), f"{method} {path}"
        if identity in seen:
            yield where, f"operationId {identity} is that of {seen[identity]} too"
        seen[identity] = where


def _is_list(operation: Operation) -> bool:
    """Tell whether a GET answers with several things of a kind.

    One thing may hold some others; a list has `items`, or is named by no id.
    """
    if operation.method != "GET":
        return False
    properties = operation.answer.get("properties", {})
    has_things = any(
        one.get("type") == "array" and "$ref" in one.get("items", {})
        for one in properties.values()
    )
    return "items" in properties or (has_things and operation.path[-1] != "}")


def _unbounded(operation: Operation, root: Schema, where: str) -> Broken:
    for place, schema in operation.within(root, where=where):
        kind = schema.get("type")
        if kind == "string" and not _is_bounded_text(schema):
            yield place, "a text has maxLength"
        if kind == "array" and "maxItems" not in schema:
            yield place, "an array has maxItems"
        is_map = kind == "object" and "properties" not in schema
        if is_map and "maxProperties" not in schema:
            yield place, "a map has maxProperties"


def _is_bounded_text(schema: Schema) -> bool:
    is_short = "pattern" in schema and not _REPEATED.search(schema["pattern"])
    has_end = bool(_BOUNDS & schema.keys())
    return has_end or is_short or schema.get("format") in _BOUNDED_FORMATS
