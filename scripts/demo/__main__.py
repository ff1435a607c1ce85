"""Tell the story on a running stack; the exit status tells whether it went well."""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from deploy.embedded.layout import DEFAULT_ROOT, Stack, open_stack
from scripts.demo.house import House
from scripts.demo.story import Story


def main() -> int:
    """Tell the story; return 0 if every step succeeded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=DEFAULT_ROOT)
    stack = open_stack(parser.parse_args().root)
    house = House(stack.url("edge"), stack.url("smtp_view"), stack.url("fcm_control"))
    story = Story(house)
    print(f"A story on {house.edge_url}\n")
    try:
        asyncio.run(story.tell())
    except Exception as error:  # noqa: BLE001 - the last line of a command
        print(f"\nThe story broke off: {type(error).__name__}: {error}")
        return 1
    print_epilogue(stack, story)
    return 0


def print_epilogue(stack: Stack, story: Story) -> None:
    """Print what somebody needs to go on by hand."""
    total = sum(milliseconds for _, milliseconds in story.steps) / 1000
    print(f"\n{len(story.steps)} steps in {total:.1f} s. Go on by hand:\n")
    print(f"  API and client     {stack.url('edge')}")
    print(f"  mails that arrived {stack.url('smtp_view')}/mails")
    print(f"  pushes that came   {stack.url('fcm_control')}/sent")
    print(f"  RabbitMQ           {stack.url('rabbitmq_management')}")
    for person in (story.ada, story.grace):
        print(f"  {person.name:<18} {person.email}  password: {person.password}")
    credentials = json.dumps({"email": story.ada.email, "password": story.ada.password})
    print(
        "\n  curl -s -X POST -H 'Content-Type: application/json' \\\n"
        f"    -d '{credentials}'"
        f" \\\n    {stack.url('edge')}/api/v1/auth/login\n"
    )


if __name__ == "__main__":
    sys.exit(main())
