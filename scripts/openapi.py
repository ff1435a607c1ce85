"""Write docs/openapi/<service>.json from the running code, or check it.

With ``--check`` nothing is written; the exit status is 1 where a page differs.
"""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

from fastapi import FastAPI

FOLDER = Path("docs/openapi")
SERVICES = ("auth", "project", "chat", "media", "notification")
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
    app = FastAPI(title=f"Parley {service}", version="1", docs_url=None)
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


def main(arguments: list[str]) -> int:
    """Write or check every document; return the exit status."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    status = 0
    for service in SERVICES:
        text = json.dumps(document_of(service), indent=1, sort_keys=True) + "\n"
        target = FOLDER / f"{service}.json"
        if "--check" not in arguments:
            target.write_text(text, encoding="utf-8")
        elif not target.is_file() or target.read_text(encoding="utf-8") != text:
            print(f"{target} is not what {service} serves: run `make docs`")
            status = 1
    return status


if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))
    sys.exit(main(sys.argv[1:]))
