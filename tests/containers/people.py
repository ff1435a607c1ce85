"""Who works on an installation while its containers die, or before it is lost."""

import contextlib

from libs.kernel import new_id
from scripts.demo.client import Person
from scripts.demo.house import House, wait_for
from tests.containers.errands import NOT_DONE

PATIENCE_SECONDS = 120.0


async def member(house: House, name: str) -> Person:
    """Return somebody with a confirmed account who has signed in."""
    email = f"{name.lower()}-{new_id()}@example.org"
    words = ("a long enough password", name, house.ca_file)
    person = Person(house.edge_url, email, *words)
    await person.register()
    await person.verify(await house.verification_token(email, PATIENCE_SECONDS))
    await person.sign_in()
    return person


async def open_group(ada: Person, grace: Person) -> str:
    """Open a group of both, as soon as chat knows them."""
    body = {"kind": "group", "title": "Ours", "member_ids": [grace.user_id]}

    async def attempt() -> str | None:
        with contextlib.suppress(*NOT_DONE):
            group = await ada.call("POST", "conversations", body)
            return str(group["conversation_id"])
        return None

    return await wait_for(attempt, "the group", PATIENCE_SECONDS, 0.3)
