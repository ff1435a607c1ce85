"""Tell the story on a running stack; the exit status tells whether it went well."""

import asyncio
import json
import sys

from scripts.demo.house import House
from scripts.demo.places import house_of, parser
from scripts.demo.story import Story


def main() -> int:
    """Tell the story; return 0 if every step succeeded."""
    house = house_of(parser(__doc__).parse_args())
    story = Story(house)
    print(f"A story on {house.edge_url}\n")
    try:
        asyncio.run(story.tell())
    except Exception as error:  # noqa: BLE001 - the last line of a command
        print(f"\nThe story broke off: {type(error).__name__}: {error}")
        return 1
    print_epilogue(house, story)
    return 0


def print_epilogue(house: House, story: Story) -> None:
    """Print what somebody needs to go on by hand."""
    total = sum(milliseconds for _, milliseconds in story.steps) / 1000
    print(f"\n{len(story.steps)} steps in {total:.1f} s. Go on by hand:\n")
    print(f"  API and client     {house.edge_url}")
    print(f"  mails that arrived {house.mail_url}/mails")
    print(f"  pushes that came   {house.push_url}/sent")
    print(f"  RabbitMQ           {house.broker_url}")
    for person in (story.ada, story.grace):
        print(f"  {person.name:<18} {person.email}  password: {person.password}")
    trust = f"--cacert {house.ca_file} " if house.ca_file else ""
    credentials = json.dumps({"email": story.ada.email, "password": story.ada.password})
    print(
        f"\n  curl -s {trust}-X POST -H 'Content-Type: application/json' \\\n"
        f"    -d '{credentials}'"
        f" \\\n    {house.edge_url}/api/v1/auth/login\n"
    )


if __name__ == "__main__":
    sys.exit(main())
