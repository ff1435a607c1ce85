"""The gateway: its rate beside nginx, what it adds, and what a long stream costs.

Run it with ``make bench B=gateway``. One upstream stands behind all; nginx, the
gateway's anonymous route, its route with token, session and limits, the same with 200
routes, and the same with httpx take turns in every round.
"""

import argparse
import asyncio
import gc
import json
import platform
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.gateway.far_end import far_end
from bench.gateway.load import Rate, ensure_wrk, full_speed, stream
from bench.gateway.rig import BYTES, CLOSED, OPEN, Server, port_of, running
from bench.gateway.steady import steady
from bench.tokens import AccessTokens
from deploy.embedded.layout import DEFAULT_ROOT, Stack, open_stack
from libs.kernel import SessionId, UserId, new_id

_GIGABYTE = 2**30
_LATENCY_SECONDS = 6.0
TARGETS = {
    "anonymous_ratio_to_nginx": ">= 0.35",
    "full_ratio_to_nginx": ">= 0.20",
    "ratio_to_httpx": ">= 10",
    "routes_200_cost_ratio": "<= 1.1",
    "added_p50_ms": "<= 1",
    "added_p99_ms": "<= 5",
    "stream_growth_mb": "<= 20",
}


@dataclass(frozen=True)
class Contestant:
    """One way to the upstream."""

    name: str
    server: Server
    path: str
    token: str | None = None


def contestants(servers: dict[str, Server], token: str) -> list[Contestant]:
    """Return all ways, in the order of a round."""
    return [
        Contestant("nginx", servers["nginx"], OPEN),
        Contestant("gateway, anonymous", servers["gateway"], OPEN),
        Contestant("gateway, token and limits", servers["gateway"], CLOSED, token),
        Contestant("the same, 200 routes", servers["many-routes"], CLOSED, token),
        Contestant("anonymous, with httpx", servers["httpx"], OPEN),
    ]


def rates(
    ways: list[Contestant], rounds: int, seconds: float
) -> dict[str, dict[str, float]]:
    """Let all take turns; return the medians by name."""
    seen: dict[str, list[Rate]] = {way.name: [] for way in ways}
    for way in ways:
        full_speed(way.server, way.path, 1, way.token)  # connections, caches, tokens
    for number in range(rounds):
        for way in ways:
            rate = full_speed(way.server, way.path, seconds, way.token)
            seen[way.name].append(rate)
            print(f"  round {number + 1}: {way.name:<28} {rate.per_s:9.0f}/s")
    return {name: _medians(found) for name, found in seen.items()}


def _medians(found: list[Rate]) -> dict[str, float]:
    def median(of: Callable[[Rate], float]) -> float:
        return statistics.median(map(of, found))

    return {"per_s": median(lambda r: r.per_s), "cpu_us": median(lambda r: r.cpu_us)}


def added(ways: list[Contestant], half: float) -> dict[str, float]:
    """Return what the whole way adds to nginx's latency at half of its load."""
    waits: dict[str, list[float]] = {"nginx": [], "gateway": []}
    # One full collection of all that is imported here stops the load for 50 ms and
    # more, which is the whole of a percent of six seconds.
    gc.collect()
    gc.freeze()
    for _ in range(3):
        for name, way in (("nginx", ways[0]), ("gateway", ways[2])):
            waits[name] += steady(
                way.server,
                way.path,
                per_s=half,
                seconds=_LATENCY_SECONDS,
                token=way.token,
            )
    p50, p99 = (
        _percentile(waits["gateway"], share) - _percentile(waits["nginx"], share)
        for share in (0.5, 0.99)
    )
    return {"added_p50_ms": p50, "added_p99_ms": p99}


def _percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def measure(root: Path, rounds: int, seconds: float) -> dict[str, float]:
    """Return every figure."""
    stack = open_stack(root)
    token = AccessTokens(stack).of(UserId(new_id()), SessionId(new_id()))
    with (
        tempfile.TemporaryDirectory() as name,
        running(stack, Path(name)) as servers,
    ):
        ways = contestants(servers, token)
        found = rates(ways, rounds, seconds)
        half = found[ways[2].name]["per_s"] / 2
        figures = _ratios(ways, found)
        figures |= added(ways, half)
        figures |= asyncio.run(streamed(servers["gateway"], stack))
    return figures


async def streamed(server: Server, stack: Stack) -> dict[str, float]:
    """Return how fast a gigabyte passes each way, and what memory it takes."""
    async with far_end(port_of(stack, "far-end"), _GIGABYTE):
        found = await stream(server, f"{server.url}{BYTES}/one", _GIGABYTE)
    return {
        "up_mb_per_s": found.up_mb_per_s,
        "down_mb_per_s": found.down_mb_per_s,
        "stream_growth_mb": found.growth_mb,
    }


def _ratios(
    ways: list[Contestant], found: dict[str, dict[str, float]]
) -> dict[str, float]:
    nginx, anonymous, full, many, httpx = (found[way.name] for way in ways)
    print(f"  {'':<28} {'requests/s':>11} {'CPU us':>8}")
    for name, row in found.items():
        print(f"  {name:<28} {row['per_s']:11.0f} {row['cpu_us']:8.0f}")
    return {
        "nginx_per_s": nginx["per_s"],
        "anonymous_per_s": anonymous["per_s"],
        "full_per_s": full["per_s"],
        "anonymous_ratio_to_nginx": anonymous["per_s"] / nginx["per_s"],
        "full_ratio_to_nginx": full["per_s"] / nginx["per_s"],
        "ratio_to_httpx": anonymous["per_s"] / httpx["per_s"],
        "routes_200_cost_ratio": many["cpu_us"] / full["cpu_us"],
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="bench.gateway", description=__doc__)
    parser.add_argument("--stack", type=Path, default=DEFAULT_ROOT)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args()
    ensure_wrk()
    measured = measure(options.stack, options.rounds, options.seconds)
    print(f"{options.rounds} rounds of {options.seconds:g} s, {platform.machine()}")
    for name, value in measured.items():
        print(f"  {name:<26} {value:10.2f}  {TARGETS.get(name, '')}")
    print(json.dumps({name: round(value, 3) for name, value in measured.items()}))
