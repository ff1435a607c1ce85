"""Schemas of several OpenAPI documents under names that are unique in one."""

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

SCHEMAS = "#/components/schemas/"
_REFERENCE = re.compile(rf'"{re.escape(SCHEMAS)}([^"]+)"')


def clashing_names(documents: Collection[Mapping[str, Any]]) -> set[str]:
    """Return the names that do not mean the same in every document that has them.

    Schemas of the same text differ where what they refer to differs.
    """
    shared: dict[str, list[Any]] = {}
    for document in documents:
        for name, schema in document["components"]["schemas"].items():
            shared.setdefault(name, []).append(schema)
    shared = {name: found for name, found in shared.items() if len(found) > 1}
    clashing = {
        name for name, found in shared.items() if any(s != found[0] for s in found)
    }
    while more := {
        name for name in shared.keys() - clashing if _names_in(shared[name]) & clashing
    }:
        clashing |= more
    return clashing


def renamed(document: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return a copy of a document with some of its schemas under other names."""

    def follow(found: dict[str, Any]) -> dict[str, Any]:
        reference = found.get("$ref")
        if isinstance(reference, str):
            name = reference.removeprefix(SCHEMAS)
            found["$ref"] = SCHEMAS + names.get(name, name)
        return found

    copy: dict[str, Any] = json.loads(json.dumps(document), object_hook=follow)
    schemas = copy["components"]["schemas"]
    copy["components"]["schemas"] = {names.get(n, n): s for n, s in schemas.items()}
    return copy


def reachable(root: object, schemas: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schemas that a part of a document leads to, and `Problem`."""
    found: set[str] = set()
    ahead = _names_in(root) | {"Problem"}
    while ahead:
        name = ahead.pop()
        found.add(name)
        ahead |= _names_in(schemas[name]) - found
    return {name: schemas[name] for name in sorted(found)}


def _names_in(value: object) -> set[str]:
    return set(_REFERENCE.findall(json.dumps(value)))
