"""Write the descriptions of the HTTP API from the running code, or check them.

``docs/openapi/<service>.json`` is each service's own, ``services/gateway/openapi.json``
the one that the gateway serves, merged from them. With ``--check`` nothing is written;
the exit status is 1 where a page differs.
"""

import importlib
import json
import sys
from operator import attrgetter
from pathlib import Path
from typing import Any

from fastapi import FastAPI

sys.path.insert(0, str(Path.cwd()))

from scripts.api_description import TARGET, merge, own_table

FOLDER = Path("docs/openapi")
SERVICES = ("auth", "project", "chat", "media", "notification", "gateway")
PROBLEM_TYPE = "application/problem+json"
PROBLEM: dict[str, Any] = {
    "title": "Problem",
    "description": "A failure (RFC 9457); some codes bring members of their own.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "trace_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "Stable; part of the API."},
        "trace_id": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["path", "code", "message"],
                "properties": {
                    "path": {"type": "string"},
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                },
            },
        },
    },
}


def document_of(service: str) -> dict[str, Any]:
    """Return a service's OpenAPI document; its app needs no settings for that."""
    module = importlib.import_module(f"services.{service}.api")
    app = FastAPI(
        title=f"Parley {service}",
        version="1",
        docs_url=None,
        generate_unique_id_function=attrgetter("name"),
    )
    for router in getattr(module, "ROUTERS", None) or (module.router,):
        if not router.prefix.startswith("/internal"):
            app.include_router(router)
    document = app.openapi()
    _tell_problems(document)
    return document


def _tell_problems(document: dict[str, Any]) -> None:
    """Say of every operation what a failure looks like (libs/chassis/problems.py).

    The framework's own description of a 422 is left out: it is never sent.
    """
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    schemas["Problem"] = PROBLEM
    content = {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["responses"].pop("422", None)
            for status, what in (("4XX", "Refused"), ("503", "Not available now")):
                operation["responses"][status] = {
                    "description": f"{what}; `code` says why.",
                    "content": content,
                }


def texts() -> dict[Path, str]:
    """Return every description as it has to be, by file."""
    documents = {service: document_of(service) for service in SERVICES}
    found = {FOLDER / f"{name}.json": one for name, one in documents.items()}
    found[TARGET] = merge(documents, own_table())
    return {
        target: json.dumps(one, indent=1, sort_keys=True) + "\n"
        for target, one in found.items()
    }


def main(arguments: list[str]) -> int:
    """Write or check every document; return the exit status."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    status = 0
    for target, text in texts().items():
        if "--check" not in arguments:
            target.write_text(text, encoding="utf-8")
        elif not target.is_file() or target.read_text(encoding="utf-8") != text:
            print(f"{target} is not what the code serves: run `make docs`")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
