"""FZ-1: generated calls of every route, as anonymous, member and administrator.

Whatever is asked, nothing breaks, and every answer is one that the OpenAPI document
tells of. ``PARLEY_SCHEMA_EXAMPLES`` calls an operation as each (4 if left out).
"""

import asyncio
from pathlib import Path

import aiohttp
import pytest
from pymongo import MongoClient

from libs.chassis.security import Principal
from libs.kernel import new_id
from tests.integration.auth.conftest import (
    Client,
    join,
    opened_mailbox,
)
from tests.support.generated_calls import CHECKS, examples, operations, try_out

pytestmark = pytest.mark.integration
EXAMPLES = examples(4)
DOCUMENT = Path(__file__).parents[3] / "docs" / "openapi" / "auth.json"
OPERATIONS = operations(DOCUMENT)
ROLES = {"member": ("member",), "admin": ("member", "admin")}


@pytest.fixture(scope="module")
def callers(stack, auth):
    """Principals: nobody, and a member and an administrator with sessions."""

    async def sign_in(role):
        email = f"{role}-{new_id()}@example.test"
        async with aiohttp.ClientSession() as http, opened_mailbox(stack) as mailbox:
            client = Client(auth, http)
            await join(client, mailbox, email)
            _, who = await client.login(email)
        return Principal(who.user_id, who.session_id, ROLES[role])

    found = {role: asyncio.run(sign_in(role)) for role in ROLES}
    with MongoClient(stack.admin_mongo_url) as client:
        for role, who in found.items():
            client["parley_auth"]["users"].update_one(
                {"_id": who.user_id}, {"$set": {"roles": list(ROLES[role])}}
            )
    return found | {"anonymous": Principal.anonymous()}


@pytest.mark.parametrize("role", ["anonymous", "member", "admin"])
@pytest.mark.parametrize("label", sorted(OPERATIONS))
def test_fz_1_no_call_breaks_anything_and_answers_are_as_documented(
    auth, callers, role, label
):
    """FZ-1: 0 server errors, 0 answers that the document does not tell of."""
    headers = auth.headers(callers[role], address=f"10.77.{len(label)}.{len(role)}")

    def call(case):
        case.headers.pop("X-Client-Address", None)
        response = case.call(base_url=auth.url, headers=headers)
        if response.status_code == 503:  # too busy, or counted out: told, with a time
            assert "retry-after" in {name.lower() for name in response.headers}
            return
        case.validate_response(response, checks=CHECKS)

    try_out(OPERATIONS[label], EXAMPLES, call)
