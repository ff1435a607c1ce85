"""FZ-1: generated calls of the whole API through the edge.

``make fuzz-api EXAMPLES=1000`` calls an operation so often as each, well and badly.
"""

import asyncio
import contextlib
import itertools
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from pymongo import MongoClient
from requests.adapters import HTTPAdapter

from libs.kernel import new_id
from scripts.demo.client import ApiError, Person
from scripts.demo.house import wait_for
from tests.e2e.conftest import house_of, settle
from tests.support.generated_calls import CHECKS, examples, operations, try_out

pytestmark = pytest.mark.e2e
EXAMPLES = examples(1)
DOCUMENT = Path(__file__).parents[2] / "services" / "gateway" / "openapi.json"
OPERATIONS = operations(DOCUMENT)
TOKEN_SECONDS = 200
ADMIN = ("member", "admin")
ENDED = {"session_revoked", "token_expired"}
PASSWORD = "a long enough password"
_numbers = itertools.count(1)


@dataclass
class Caller:
    """Somebody who calls, and what is theirs.

    Attributes:
        house: Where.
        roles: None for nobody.
        ids: What paths may name, by the names that they give it.
    """

    house: Any
    roles: tuple[str, ...] = ()
    ids: dict[str, str] = field(default_factory=dict)
    token: str = ""
    signed_in_at: float = 0

    def headers(self) -> dict[str, str]:
        """Return what proves who calls, with a token that is still good."""
        if not self.roles:
            return {}
        if time.monotonic() - self.signed_in_at > TOKEN_SECONDS:
            self.begin()
        return {"Authorization": f"Bearer {self.token}"}

    def begin(self) -> None:
        """Make an account with something in it; a call may have ended the last one."""
        if self.roles:
            asyncio.run(self._begin())

    async def _begin(self) -> None:
        view = house_of(self.house)
        email = f"fuzz-{new_id()}@example.org"
        async with Person(view.edge_url, email, PASSWORD, "Fuzz") as person:
            await settle(person, view)
            with MongoClient(self.house.admin_mongo_url) as client:
                client["parley_auth"]["users"].update_one(
                    {"_id": person.user_id}, {"$set": {"roles": list(self.roles)}}
                )
            await person.sign_in()
            self.token, self.signed_in_at = person.access_token, time.monotonic()
            self.ids = {"user_id": person.user_id} | await self._belongings(person)

    async def _belongings(self, person: Person) -> dict[str, str]:
        project = await person.call("POST", "projects", {"name": "Fuzz"})

        async def group() -> Any:
            with contextlib.suppress(ApiError):  # chat has not heard of them yet
                body = {"kind": "group", "title": "Fuzz", "member_ids": []}
                return await person.call("POST", "conversations", body)

        conversation_id = (await wait_for(group, "a group"))["conversation_id"]
        message = await person.call(
            "POST",
            f"conversations/{conversation_id}/messages",
            {"client_message_id": new_id(), "text": "fuzz"},
        )
        return {
            "project_id": project["project_id"],
            "conversation_id": conversation_id,
            "message_id": message["message"]["message_id"],
        }


class As(HTTPAdapter):
    """Sends as one caller, from an address of its own, so that limits count it apart.

    What a generator makes up or leaves out about authorisation does not count.
    """

    def __init__(self, caller: Caller, address: str) -> None:
        self._caller = caller
        self._address = address
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Bind every connection."""
        options["source_address"] = (self._address, 0)
        super().init_poolmanager(*arguments, **options)

    def send(self, request: Any, **options: Any) -> Any:
        """Say who calls."""
        request.headers.pop("Authorization", None)
        request.headers.update(self._caller.headers())
        return super().send(request, **options)


@pytest.fixture(scope="module")
def callers(house):
    """One of each role."""
    found = [Caller(house), Caller(house, ("member",)), Caller(house, ADMIN)]
    for caller in found:
        caller.begin()
    return found


@pytest.mark.parametrize("label", sorted(OPERATIONS))
def test_fz_1_no_call_through_the_edge_breaks_anything(house, callers, label):
    """FZ-1: 0 server errors, 0 answers that the description does not tell of."""
    number = next(_numbers)
    with contextlib.ExitStack() as stack:
        sessions = []
        for place, caller in enumerate(callers):
            http = stack.enter_context(requests.Session())
            http.mount("http://", As(caller, f"127.{9 + place}.{number}.1"))
            sessions.append((caller, http))

        def call(case):
            for caller, http in sessions:
                if not label.startswith("DELETE"):
                    known = case.path_parameters.keys() & caller.ids.keys()
                    case.path_parameters.update(
                        {name: caller.ids[name] for name in known}
                    )
                response = case.call(base_url=house.edge_url, session=http)
                case.validate_response(response, checks=CHECKS)
                if response.status_code == 401 and response.json()["code"] in ENDED:
                    caller.begin()

        try_out(OPERATIONS[label], EXAMPLES, call)
