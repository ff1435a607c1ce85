"""Run it: ``make bench B=events``, or ``python -m bench.events --stack PATH``.

Prints a table with the peers and their ratios and, as its last line, one JSON object.
"""

import argparse
import asyncio
import json
import statistics
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from bench.events.cells import Cell, Figures, python_of, run
from bench.events.meter import Order
from bench.events.parley import SERVICE, worker
from bench.events.report import figures_of, machine, print_table
from bench.events.servers import Place, open_place, user_prefix
from deploy.embedded.layout import DEFAULT_ROOT, open_stack
from libs.events.settings import AdminSettings
from libs.events.topology import build_topology
from libs.events.topology.apply import apply_topology

_PEER = {
    "aio-pika": "bench.events.peer_aio_pika",
    "faststream": "bench.events.peer_faststream",
}
_BY_HAND = "bench.events.peer_by_hand"
_TRANSPORT = "bench.events.parley_transport"
_FULL = "bench.events.parley_full"
_WAITING_OF_PEERS = 20_000

RATES = [
    Cell("aio-pika", _PEER["aio-pika"], "single"),
    Cell("faststream", _PEER["faststream"], "single"),
    Cell("parley", _TRANSPORT, "single"),
    Cell("aio-pika", _PEER["aio-pika"], "batched"),
    Cell("parley", _TRANSPORT, "batched"),
    Cell("by-hand", _BY_HAND, "single"),
    Cell("parley", _FULL, "single"),
    Cell("parley", _FULL, "batched"),
    Cell("faststream", _PEER["faststream"], "single", has_logs=True),
    Cell("parley", _TRANSPORT, "single", has_logs=True),
    Cell("parley", _FULL, "single", has_logs=True),
]
DELAYS = [
    Cell("aio-pika", _PEER["aio-pika"], "delay"),
    Cell("faststream", _PEER["faststream"], "delay"),
    Cell("parley", _FULL, "delay"),
]
WAITING = [
    Cell("aio-pika", _PEER["aio-pika"], "waiting"),
    Cell("faststream", _PEER["faststream"], "waiting"),
    Cell("parley", _FULL, "waiting"),
]


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="bench.events", description=__doc__)
    parser.add_argument("--stack", type=Path, default=DEFAULT_ROOT)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="of a measurement")
    parser.add_argument(
        "--waiting",
        type=int,
        default=0,
        metavar="EVENTS",
        help="measure memory too, with so many events waiting for the broker",
    )
    parser.add_argument(
        "--uvloop",
        action="store_true",
        help="as in production, for all but FastStream: then its ratios say nothing",
    )
    parser.add_argument("--only", default="", help="cells whose name has this text")
    parser.add_argument("--profile", type=Path, help="folder: where the CPU goes")
    return parser.parse_args()


async def measure(options: argparse.Namespace, place: Place) -> dict[str, Figures]:
    """Run all cells, interleaved over rounds; returns medians by cell."""
    cells = [*RATES, *DELAYS] * options.rounds
    cells += WAITING if options.waiting else []
    found: dict[str, list[Figures]] = defaultdict(list)
    pythons: dict[str, str] = {}
    for cell in cells:
        if options.only not in cell.name:
            continue
        if cell.system not in pythons:
            pythons[cell.system] = python_of(cell.system)
        order = order_for(cell, options, place)
        await place.rest()
        found[cell.name].append(await run(cell, pythons[cell.system], order))
        print(f"  {cell.name}: {brief(found[cell.name][-1])}", flush=True)
    return {name: medians(values) for name, values in found.items()}


def order_for(cell: Cell, options: argparse.Namespace, place: Place) -> Order:
    """Return what a cell is told."""
    is_ours = cell.system == "parley"
    profile = ""
    if options.profile:
        options.profile.mkdir(parents=True, exist_ok=True)
        profile = str(options.profile / f"{cell.name.replace(':', '-')}.txt")
    count = 0
    if cell.scenario == "waiting":
        count = options.waiting if is_ours else _WAITING_OF_PEERS
    return Order(
        amqp_url=place.service_amqp_url if is_ours else place.admin_amqp_url,
        mongo_url="" if cell.system in _PEER else place.mongo_url,
        scenario=cell.scenario,
        seconds=options.seconds * (2 if cell.scenario == "delay" else 1),
        servers=place.servers,
        profile=profile,
        count=count,
        has_uvloop=options.uvloop and cell.system != "faststream",
    )


def medians(values: Sequence[Figures]) -> Figures:
    """Return the median of each figure, but of what was lost the sum."""
    found = {name: statistics.median(v[name] for v in values) for name in values[0]}
    for name in ("lost", "duplicates"):
        found[name] = sum(value.get(name, 0) for value in values)
    return found


def brief(figures: Figures) -> str:
    """Return one cell's figures on a line."""
    return ", ".join(f"{name} {value:.1f}" for name, value in figures.items())


async def main(options: argparse.Namespace) -> None:
    """Make a place, measure, report."""
    async with open_place(open_stack(options.stack), SERVICE) as place:
        admin = AdminSettings(place.admin_amqp_url, place.management_url)
        await apply_topology(build_topology([worker]), admin, user_prefix=user_prefix())
        found = await measure(options, place)
    print_table(found)
    print(json.dumps(figures_of(found) | {"machine": machine()}))


if __name__ == "__main__":
    asyncio.run(main(arguments()))
