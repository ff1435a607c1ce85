"""What 1,000 users, 1,000,000 messages, 10,000 sockets take: ``make bench B=capacity``.

Messages go through sockets of a chat process of the benchmark's own, ten members a
conversation; users and rows of files through the services' repositories. Bytes are
those of MongoDB's files after a checkpoint, indexes included. All of it is in databases
and virtual hosts of its own, which are removed. Prints tables and, as its last line,
one JSON object. docs/capacity.md is the arithmetic on top.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

import uvloop

from bench.capacity.acts import bytes_of_an_act
from bench.capacity.people import (
    bytes_of_a_file,
    bytes_of_a_recipient,
    bytes_of_an_account,
)
from bench.capacity.talk import measure_messages, measure_sockets
from bench.events.report import machine
from deploy.embedded.layout import DEFAULT_ROOT, open_stack

Figures = dict[str, float]
PASSING = {"leases", "outbox", "outbox_lease", "pending", "writer_leases"}
"""Collections whose rows come and go: their room is used again, not once a message."""


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="bench.capacity", description=__doc__)
    parser.add_argument("--stack", type=Path, default=DEFAULT_ROOT)
    parser.add_argument("--messages", type=int, default=50_000)
    parser.add_argument("--users", type=int, default=2_000)
    parser.add_argument("--files", type=int, default=2_000)
    parser.add_argument("--sockets", type=int, default=2_000)
    return parser.parse_args()


def print_table(title: str, figures: Mapping[str, float]) -> None:
    """Print what one of something takes."""
    print(title)
    for name, value in figures.items():
        if value:
            print(f"  {name:<40}{value:>12,.1f}", flush=True)


def costs_of(tables: Mapping[str, Figures]) -> Figures:
    """Return the three prices that docs/capacity.md goes on with."""
    bytes_of = {
        title.partition(":")[0]: sum(
            taken for name, taken in figures.items() if name not in PASSING
        )
        for title, figures in tables.items()
        if title.endswith("bytes on disk")
    }
    user = bytes_of["user, auth"] + bytes_of["user, notification"]
    message, socket = tables["message: CPU and bytes"], tables["socket"]
    cpu_us = sum(value for name, value in message.items() if name.endswith("_cpu_us"))
    return {
        "1,000 users: MB on disk": user * 1_000 / 1e6,
        "1,000,000 messages: MB on disk": bytes_of["message, chat"],
        "1,000,000 messages: CPU seconds": cpu_us,
        "1,000,000 messages: MB written": message["mongod_bytes_written"],
        "10,000 sockets: MB of memory": socket["kb_per_subscribed_socket"] * 10,
        "10,000 sockets: cores while quiet": socket["cores_per_10000_quiet_sockets"],
    }


async def main(options: argparse.Namespace) -> None:
    """Measure one thing after the other, report."""
    stack = open_stack(options.stack)
    tables: dict[str, Figures] = {
        "user, auth: bytes on disk": await bytes_of_an_account(stack, options.users),
        "user, notification: bytes on disk": await bytes_of_a_recipient(
            stack, options.users
        ),
        "file's row, media: bytes on disk": await bytes_of_a_file(stack, options.files),
        "act, audit: bytes on disk": await bytes_of_an_act(stack, options.users),
    }
    tables |= await measure_messages(stack, options.messages)
    tables["socket"] = await measure_sockets(stack, options.sockets)
    tables["what it comes to"] = costs_of(tables)
    for title, figures in tables.items():
        print_table(title, figures)
    rounded = {
        title: {name: round(value, 2) for name, value in figures.items()}
        for title, figures in tables.items()
    }
    print(json.dumps(rounded | {"machine": machine()}))


if __name__ == "__main__":
    uvloop.run(main(arguments()))
