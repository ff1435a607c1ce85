"""Fill the running stack with people, a project, groups and messages to look at."""

import asyncio
import secrets
import sys

from libs.kernel import new_id
from scripts.demo.client import ApiError, Person
from scripts.demo.house import House, wait_for
from scripts.demo.places import house_of, parser

NAMES = ("Ada", "Grace", "Edsger", "Barbara", "Donald", "Radia")
PASSWORD = "a seeded account's password"  # noqa: S105 - printed, for a local stack
GROUPS = ("Compilers", "Networks", "Proofs")
MESSAGES_A_GROUP = 60


async def settle(person: Person, house: House, handle: str) -> None:
    """Register, verify, sign in and take a handle."""
    await person.register()
    await person.verify(await house.verification_token(person.email))
    await person.sign_in("seed")
    await person.call("PUT", "me/handle", {"handle": handle})


async def open_group(people: list[Person], title: str) -> str:
    """Open a group of everybody; return its id."""

    async def attempt() -> str | None:
        body = {
            "kind": "group",
            "title": title,
            "member_ids": [person.user_id for person in people[1:]],
        }
        try:
            group = await people[0].call("POST", "conversations", body)
        except ApiError as error:
            if error.status == 404:  # noqa: PLR2004 - somebody is not yet known there
                return None
            raise
        return str(group["conversation_id"])

    return await wait_for(attempt, f"group {title}")


async def seed(house: House) -> None:
    """Make the people and let them talk; prints each step."""
    run = secrets.token_hex(3)
    people = [
        Person(
            house.edge_url,
            f"{name.lower()}-{run}@example.org",
            PASSWORD,
            name,
            house.ca_file,
        )
        for name in NAMES
    ]
    try:
        for person in people:
            await settle(person, house, f"{person.name.lower()}-{run}")
            print(f"  {person.email}  password: {PASSWORD}", flush=True)
        for title in GROUPS:
            group_id = await open_group(people, title)
            for number in range(MESSAGES_A_GROUP):
                await people[number % len(people)].call(
                    "POST",
                    f"conversations/{group_id}/messages",
                    {
                        "client_message_id": new_id(),
                        "text": f"{title}: thought number {number + 1}",
                    },
                )
            print(f"  group {title}: {MESSAGES_A_GROUP} messages", flush=True)
    finally:
        for person in people:
            await person.__aexit__(None, None, None)


def main() -> int:
    """Seed the stack of this checkout."""
    house = house_of(parser(__doc__).parse_args())
    asyncio.run(seed(house))
    print(f"\nThe API is at {house.edge_url}/api/v1; sign in there (docs/api.md)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
