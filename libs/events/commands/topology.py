"""``topology show|diff|apply``."""

import json
from argparse import Namespace

import msgspec

from libs.events.commands.workers import load_workers
from libs.events.settings import AdminSettings
from libs.events.topology import Topology, build_topology
from libs.events.topology.apply import apply_topology
from libs.events.topology.diff import diff_topology


async def run(arguments: Namespace, settings: AdminSettings) -> int:
    """Run the command; returns the exit code."""
    topology = build_topology(load_workers(arguments.workers))
    if arguments.action == "show":
        print(json.dumps(msgspec.to_builtins(topology), indent=2))  # noqa: T201 - a command line
        return 0
    if arguments.action == "diff":
        lines = await diff_topology(topology, settings)
        print("\n".join(lines) or "no difference")  # noqa: T201 - a command line
        return 1 if lines else 0
    missing = await apply_topology(topology, settings)
    print(_summary(topology))  # noqa: T201 - a command line
    for user in missing:
        print(f"user {user!r} does not exist: no rights given")  # noqa: T201 - a command line
    return 1 if missing and not arguments.allow_missing_users else 0


def _summary(topology: Topology) -> str:
    return (
        f"applied {len(topology.exchanges)} exchanges, {len(topology.queues)} queues, "
        f"{len(topology.bindings)} bindings, {len(topology.policies)} policies, "
        f"rights of {len(topology.permissions)} services"
    )
