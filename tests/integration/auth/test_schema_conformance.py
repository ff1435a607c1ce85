"""FZ-1: generated calls of every route, as anonymous, member and administrator.

Whatever is asked, nothing breaks, and every answer is one that the OpenAPI document
tells of. ``PARLEY_SCHEMA_EXAMPLES`` calls an operation as each (4 if left out).
"""

import asyncio
import json
import os
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from pymongo import MongoClient
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from libs.chassis.security import Principal
from libs.kernel import new_id
from tests.integration.auth.conftest import (
    Client,
    join,
    opened_mailbox,
)

pytestmark = pytest.mark.integration
EXAMPLES = int(os.environ.get("PARLEY_SCHEMA_EXAMPLES", "4"))
DOCUMENT = Path(__file__).parents[3] / "docs" / "openapi" / "auth.json"
SCHEMA = schemathesis.openapi.from_dict(json.loads(DOCUMENT.read_text()))
OPERATIONS = {
    operation.label: operation
    for operation in (found.ok() for found in SCHEMA.get_all_operations())
}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
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


def _try_out(operation, mode, call):
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def run(case):
        call(case)

    with suppress(Unsatisfiable):  # a route without input cannot be called wrongly
        run()


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

    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        _try_out(OPERATIONS[label], mode, call)
