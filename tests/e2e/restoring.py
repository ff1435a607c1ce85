"""What the restore tests share: a moment of the house, and what commands say of it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from bson import Timestamp
from pymongo import MongoClient

from libs.backup.moments import text_of
from libs.backup.server import newest_moment
from scripts.demo.client import ApiError, Person

CHECKED = ("auth", "chat", "media", "project")


def moment_of(house: Any) -> str:
    """Return the moment of what was acknowledged last, as `--at` takes it."""
    with MongoClient(house.admin_mongo_url) as client:
        moment: Timestamp = newest_moment(client)
    return text_of(moment)


def beside(house: Any, service: str, prefix: str, folder: Path) -> dict[str, str]:
    """Return settings of a service on a database that was restored beside its own."""
    name = service.upper()
    return {
        f"{name}_MONGO_URL": house.admin_mongo_url,
        f"{name}_MONGO_DATABASE": f"{prefix}{service}",
        f"{name}_AUDIT_CHECKPOINTS_FILE": str(folder / f"{service}-checkpoints.jsonl"),
    }


def told(house: Any, service: str, settings: dict[str, str], *words: str) -> Any:
    """Return what a service's command says on its last line; it must end with 0."""
    done = subprocess.run(
        [sys.executable, "-m", f"services.{service}", *words],
        env=os.environ | house.service_environment(service) | settings,
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def exported(
    house: Any, settings: dict[str, str], conversation_id: str, path: Path
) -> list[dict[str, Any]]:
    """Return the messages of a conversation, opened by chat's own command."""
    words = ("export", conversation_id, "--output", str(path))
    told(house, "chat", settings, *words)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [line["message"] for line in lines if line["type"] == "message"]


async def status_of(person: Person, method: str, path: str, **body: Any) -> int:
    """Return the status of a call, whatever it is."""
    try:
        await person.call(method, path, body or None)
    except ApiError as error:
        return error.status
    return 200
