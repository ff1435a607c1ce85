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


def document_of(service: str) -> dict[str, Any]:
    """Return a service's OpenAPI document; its app needs no settings for that."""
    module = importlib.import_module(f"services.{service}.api")
    app = FastAPI(title=f"Parley {service}", version="1", docs_url=None)
    for router in getattr(module, "ROUTERS", None) or (module.router,):
        if not router.prefix.startswith("/internal"):
            app.include_router(router)
    return app.openapi()


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
