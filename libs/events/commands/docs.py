"""``docs`` and ``schemas``: write the generated documents, or check them."""

from argparse import Namespace
from pathlib import Path

from libs.events import catalog
from libs.events.commands.workers import load_workers
from libs.events.documents.asyncapi import asyncapi_document
from libs.events.documents.markdown import render_json, render_markdown
from libs.events.documents.schemas import differences, write_goldens
from libs.events.settings import AdminSettings


async def run_docs(arguments: Namespace, _: AdminSettings) -> int:
    """Write or check ``docs/events.md`` and ``docs/asyncapi.json``."""
    workers = load_workers(arguments.workers)
    folder = Path(arguments.folder)
    texts = {
        folder / "events.md": render_markdown(workers),
        folder / "asyncapi.json": render_json(asyncapi_document(workers)),
    }
    stale = [
        path
        for path, text in texts.items()
        if not path.exists() or path.read_text() != text
    ]
    for path in stale:
        if not arguments.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(texts[path])
        print(f"{path}: {'stale' if arguments.check else 'written'}")  # noqa: T201 - a command line
    return 1 if stale and arguments.check else 0


async def run_schemas(arguments: Namespace, _: AdminSettings) -> int:
    """Write missing golden schemas, or check that none changed."""
    assert catalog.__all__  # noqa: S101 - importing it registers every event
    folder = Path(arguments.folder)
    lines = (
        differences(folder)
        if arguments.check
        else write_goldens(folder, is_forced=arguments.force)
    )
    for line in lines:
        print(line)  # noqa: T201 - a command line
    return 1 if lines and arguments.check else 0
