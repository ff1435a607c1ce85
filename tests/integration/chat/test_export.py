"""The export command on the real server."""

import hashlib
import json
import os
import stat
import subprocess
import sys

import pytest

from libs.chassis.mongo import open_mongo
from libs.crypto import FileKeyWrapper, KeyRing
from libs.kernel import new_id
from tests.integration.chat.test_data_keys import Process
from tests.integration.chat.test_repositories import group, member

pytestmark = pytest.mark.integration


async def test_the_command_writes_a_file_that_proves_itself(
    settings, stack, tmp_path
) -> None:
    """Opened texts, for the owner's eyes; a missing conversation leaves no file."""
    async with open_mongo(settings) as database:
        ring = KeyRing.from_file(settings.storage_keys_file)
        process = Process(database, FileKeyWrapper(ring))
        conversation = group()
        people = [member(conversation, new_id())]
        await process.conversations.insert(conversation, people, session=None)
        sent = [await process.send(conversation.conversation_id) for _ in range(3)]
    environment = os.environ | stack.service_environment("chat")

    def export(conversation_id: str, name: str) -> subprocess.CompletedProcess[bytes]:
        words = ("export", conversation_id, "--output", str(tmp_path / name))
        return subprocess.run(
            [sys.executable, "-m", "services.chat", *words],
            env=environment,
            capture_output=True,
            check=False,
            timeout=60,
        )

    done = export(conversation.conversation_id, "whole.jsonl")
    assert (done.returncode, json.loads(done.stdout)["lines"]) == (0, 6)
    target = tmp_path / "whole.jsonl"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    lines = target.read_bytes().splitlines(keepends=True)
    texts = [json.loads(line)["message"]["text"] for line in lines[2:-1]]
    assert texts == [message.text for message in sent]
    summed = hashlib.sha256(b"".join(lines[:-1])).hexdigest()
    assert json.loads(lines[-1])["sha256"] == summed
    assert export(new_id(), "none.jsonl").returncode == 2
    assert [path.name for path in tmp_path.iterdir()] == ["whole.jsonl"]
