"""The administrator's step makes an audit that a service can then use."""

import os
import subprocess
import sys
from pathlib import Path

from pymongo import AsyncMongoClient

from libs.chassis.audit.rights import CHAIN, PENDING, RECORDS, ROLE, audit_database_of
from libs.kernel import new_id


def prepare(folder: Path, database: str) -> subprocess.CompletedProcess[str]:
    """Run the step with its secret in a folder."""
    command = [sys.executable, "-m", "libs.chassis.audit", "prepare", database]
    environment = os.environ | {"PARLEY_SECRETS_DIR": str(folder)}
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False
    )


async def test_it_makes_collections_and_role_twice_alike(stack, tmp_path):
    """The step can be repeated, as every release does."""
    name = f"test_audit_{new_id()[-12:]}"
    (tmp_path / "audit_admin_mongo_url").write_text(stack.admin_mongo_url)

    first, second = prepare(tmp_path, name), prepare(tmp_path, name)

    assert (first.returncode, second.returncode) == (0, 0), first.stderr
    async with AsyncMongoClient(stack.admin_mongo_url) as client:
        audit = client[audit_database_of(name)]
        assert set(await audit.list_collection_names()) == {RECORDS, CHAIN, PENDING}
        roles = await audit.command("rolesInfo", ROLE)
        assert [role["role"] for role in roles["roles"]] == [ROLE]
        await audit.command("dropAllRolesFromDatabase")
        await client.drop_database(audit.name)


def test_without_its_secret_it_says_what_is_missing(tmp_path):
    """It names the variable, and fails."""
    result = prepare(tmp_path, "test_audit_none")

    assert result.returncode == 2
    assert "AUDIT_ADMIN_MONGO_URL: missing" in result.stderr
