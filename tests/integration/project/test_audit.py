"""AU-2 on a project process: an act and its record are there together, or neither."""

import asyncio
import json
import os
import sys

import pytest

from libs.kernel import new_id
from tests.support.audit import audit_records, refusing_audit

pytestmark = pytest.mark.integration
MARKER = f"Manhattan {new_id()}"


async def test_au_2_an_act_and_its_record_are_one(client, stack, verified_user) -> None:
    """AU-2: recorded with session and address; what cannot be is refused and undone."""
    ann, bob = await verified_user(), await verified_user()
    _, project = await client.ask(ann, "POST", "", json={"name": MARKER})
    path = f"/{project['project_id']}/collaborators"
    body = {"user_id": bob, "role": "admin"}
    async with refusing_audit(stack, "project"):
        status, problem = await client.ask(ann, "POST", path, json=body)
        assert (status, problem["code"]) == (503, "audit_unavailable")
    _, page = await client.ask(ann, "GET", path)
    assert [place["user_id"] for place in page["items"]] == [ann]
    headers = {"X-Client-Address": "192.0.2.7"}
    status, _ = await client.ask(ann, "POST", path, json=body, headers=headers)
    assert status == 201
    assert (await client.ask(bob, "DELETE", f"/{project['project_id']}"))[0] == 403
    records = await audit_records(stack, "project", actor_id={"$in": [ann, bob]})
    assert [record["action"] for record in records] == [
        "project.created",
        "project.collaborator_added",
        "access.refused",
    ]
    added = records[1]
    assert (added["target_id"], added["source"]) == (bob, "192.0.2.7")
    assert len(added["session_hash"]) == 64
    assert records[2]["reason"] == "project_not_permitted"
    assert "Manhattan" not in repr(records)


@pytest.mark.parametrize("service", ["project", "media"])
async def test_au_1_every_audit_is_verified_by_its_own_command(
    project_stack, service
) -> None:
    """AU-1: also where a service has no other command."""
    verification = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"services.{service}", "audit", "verify"),
        env=dict(os.environ) | project_stack.service_environment(service),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await verification.communicate()
    assert verification.returncode == 0, errors
    assert json.loads(output)["is_whole"]
