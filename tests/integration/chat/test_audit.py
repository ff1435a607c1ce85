"""AU-2 on a chat process: an act and its record are there together, or neither."""

import asyncio
import json
import os
import subprocess
import sys

import pytest

from libs.kernel import new_id
from tests.support.audit import audit_records, refusing_audit

pytestmark = pytest.mark.integration
MARKER = f"Overlord {new_id()}"


async def test_au_2_an_act_and_its_record_are_one(
    processes, people, open_group, stack
) -> None:
    """AU-2: by HTTP and by socket; what cannot be recorded is refused and undone."""
    ada, ben, eve = await people(3)
    group = await open_group([ada, ben], MARKER)
    body = {"user_id": eve.user_id}
    async with refusing_audit(stack, "chat"):
        refused = await ada.ask(processes[0], "POST", f"/{group}/members", body)
        assert (refused[0], refused[1]["code"]) == (503, "audit_unavailable")
    _, page = await ada.ask(processes[0], "GET", f"/{group}/members")
    assert {m["user_id"] for m in page["items"]} == {ada.user_id, ben.user_id}
    assert (await ada.ask(processes[0], "POST", f"/{group}/members", body))[0] == 201
    await ada.connect(processes[0], group)
    await ben.connect(processes[1], group)
    said = await ben.send(group, MARKER)
    deletion = {"conversation_id": group, "message_id": said["message"]["message_id"]}
    assert "error" not in await ada.emit("message.delete", deletion)
    assert "error" in await ben.emit("message.edit", deletion | {"text": MARKER})
    records = await audit_records(stack, "chat", **{"details.conversation_id": group})
    assert [(record["action"], record["actor_id"]) for record in records] == [
        ("conversation.created", ada.user_id),
        ("conversation.member_added", ada.user_id),
        ("message.deleted", ada.user_id),
    ]
    assert all(record["session_hash"] for record in records)
    assert records[2]["source"]
    assert "Overlord" not in repr(records)


async def test_au_2_what_an_operator_does_is_recorded(
    processes, people, open_group, stack, tmp_path
) -> None:
    """AU-2: an export is in the audit of a chain that its command verifies."""
    ada, ben = await people(2)
    group = await open_group([ada, ben], MARKER)
    environment = {**os.environ, **stack.service_environment("chat")}
    export = ["export", group, "--output", str(tmp_path / "export")]
    for arguments in (export, ["audit", "verify"]):
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "services.chat", *arguments],
            env=environment,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["is_whole"]
    created, exported = await audit_records(stack, "chat", target_id=group)
    assert created["action"] == "conversation.created"
    assert (exported["action"], exported["actor_id"]) == (
        "conversation.exported",
        "operator",
    )
