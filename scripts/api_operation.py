"""An operation of an OpenAPI document, with what it refers to at hand."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_JSON = "application/json"
Schema = Mapping[str, Any]


@dataclass(frozen=True)
class Operation:
    """One operation with what it refers to at hand."""

    method: str
    path: str
    described: Mapping[str, Any]
    document: Mapping[str, Any]

    @property
    def where(self) -> str:
        """How a finding names it."""
        return f"{self.method} {self.path}"

    @property
    def parameters(self) -> dict[str, Schema]:
        """Query parameters' schemas by name."""
        found = self.described.get("parameters", ())
        return {one["name"]: one["schema"] for one in found if one["in"] == "query"}

    def resolved(self, value: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what a reference stands for, or the value."""
        while "$ref" in value:
            _, part, kind, name = value["$ref"].split("/")
            value = self.document[part][kind][name]
        return value

    @property
    def answer(self) -> Schema:
        """Schema of the JSON that a plain success brings, empty if there is none."""
        content = self.described["responses"].get("200", {}).get("content", {})
        return self.resolved(content.get(_JSON, {}).get("schema", {}))

    @property
    def bodies(self) -> list[Schema]:
        """Schemas of the request's body, one a media type."""
        content = self.described.get("requestBody", {}).get("content", {})
        return [one["schema"] for one in content.values()]

    def within(self, *roots: Schema, where: str = "") -> Iterator[tuple[str, Schema]]:
        """Yield every schema below some, with its place; each reference once."""
        ahead = [(where or self.where, root) for root in roots]
        seen: set[str] = set()
        while ahead:
            place, schema = ahead.pop()
            reference = schema.get("$ref", "")
            if reference in seen:
                continue
            seen |= {reference} - {""}
            schema = self.resolved(schema)
            yield place, schema
            ahead += [(f"{place}{step}", below) for step, below in _below(schema)]


def _below(schema: Schema) -> Iterator[tuple[str, Schema]]:
    """Yield the schemas that one holds, with the step that leads there."""
    for keyword in ("anyOf", "oneOf", "allOf"):
        for one in schema.get(keyword, ()):
            yield "", one
    for name, one in schema.get("properties", {}).items():
        yield f" {name}", one
    for keyword in ("items", "additionalProperties"):
        if isinstance(schema.get(keyword), Mapping):
            yield " []", schema[keyword]
    for one in schema.get("patternProperties", {}).values():
        yield " []", one
