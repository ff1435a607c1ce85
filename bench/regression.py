"""Refuses a change that makes a benchmark's ratios more than a fifth worse (FZ-2).

``make bench-check B=gateway`` runs a benchmark and holds the ratios that it measured
against those of ``bench/recorded.json``. Ratios alone are compared: both of their sides
are of the same run, so they say something on another machine and another day, where
rates and times do not. A busy machine still makes them scatter: run it on an idle one.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypedDict

RECORDED = Path(__file__).with_name("recorded.json")
TOLERANCE = 0.2


class Ratio(TypedDict):
    """A recorded ratio.

    Attributes:
        value: The median of docs/performance.md.
        better: Whether more of it is better, or less.
    """

    value: float
    better: Literal["more", "less"]


def worse(recorded: Mapping[str, Ratio], measured: Mapping[str, float]) -> list[str]:
    """Return what is more than a fifth worse than recorded, or was not measured."""
    found = []
    for name, ratio in recorded.items():
        value = measured.get(name)
        if value is None:
            found.append(f"{name}: not measured")
        elif _is_worse(ratio, value):
            found.append(f"{name}: {value:g}, recorded {ratio['value']:g}")
    return found


def _is_worse(ratio: Ratio, value: float) -> bool:
    if ratio["better"] == "more":
        return value < ratio["value"] * (1 - TOLERANCE)
    return value > ratio["value"] * (1 + TOLERANCE)


def measure(name: str, options: list[str]) -> dict[str, float]:
    """Run a benchmark; return the figures of its last line.

    Raises:
        CalledProcessError: It failed.
    """
    module = f"bench.{name.replace('-', '_')}"
    finished = subprocess.run(  # noqa: S603 - one of ours, named in recorded.json
        [sys.executable, "-m", module, *options],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    print(finished.stdout, end="")
    figures: dict[str, float] = json.loads(finished.stdout.splitlines()[-1])
    return figures


def main() -> int:
    """Run and compare; return the exit code."""
    recorded: dict[str, dict[str, Ratio]] = json.loads(RECORDED.read_text())
    parser = argparse.ArgumentParser(prog="bench.regression", description=__doc__)
    parser.add_argument("name", choices=sorted(recorded))
    options, others = parser.parse_known_args()
    problems = worse(recorded[options.name], measure(options.name, others))
    for problem in problems:
        print(f"worse by more than {TOLERANCE:.0%}: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
