"""Counts of fault runs in docs/faults-events.json, so that a long run can go on.

``PARLEY_FAULT_RUNS`` says how many runs of each phase shall stand there (0: each phase
runs once and is not counted), ``PARLEY_FAULT_MINUTES`` when to begin no other run.

python -m tests.support.fault_counts plan   what is left to do, and how long it takes
python -m tests.support.fault_counts table  write the counts into docs/conformance.md
python -m tests.support.fault_counts fresh  forget the library's phases that were
                                            counted on other code than the present
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docs" / "faults-events.json"
PAGE = ROOT / "docs" / "conformance.md"
WANTED = int(os.environ.get("PARLEY_FAULT_RUNS", "0"))
MINUTES = float(os.environ.get("PARLEY_FAULT_MINUTES") or "inf")
EDGE = "edge: "
LIBRARY = ("libs/events", ":!libs/events/catalog", ":!libs/events/documents")
PHASES = {
    "broker away": 20.0,
    "broker killed with -9": 9.0,
    "connections closed by force": 7.0,
    "database steps down": 6.0,
    "disk alarm": 10.0,
    "relay stopped and continued": 8.0,
    "worker stopped and continued": 7.0,
    "producer killed with -9: before commit": 3.0,
    "producer killed with -9: after commit before publish": 3.0,
    "producer killed with -9: after publish before confirm": 3.0,
    "producer killed with -9: after confirm before delete": 3.0,
    "worker killed with -9: in handler before commit": 9.0,
    "worker killed with -9: in handler after commit": 2.0,
    "worker killed with -9: before ack": 2.0,
    f"{EDGE}chat killed with -9": 17.0,
    f"{EDGE}notification killed with -9": 9.0,
    f"{EDGE}rabbitmq killed with -9": 9.0,
}
"""Every phase, and about how many seconds a run takes until one is counted."""

_STARTED = time.monotonic()


def left(phase):
    """Return how many runs are to be done now."""
    return max(0, WANTED - _of(phase)["runs"]) if WANTED else 1


def is_time_left(phase, at_once=1):
    """Tell whether a run of so many systems still fits into the minutes given."""
    spent = time.monotonic() - _STARTED
    return spent + at_once * seconds_of(phase) < MINUTES * 60


def seconds_of(phase):
    """Return what a run takes: the mean of those counted, else an estimate."""
    known = _of(phase)
    return known["seconds"] / known["runs"] if known["runs"] else PHASES[phase]


def add(phase, results, seconds, *, faults=1):
    """Count what came of a round of one or several systems, and save it at once.

    Args:
        phase: One of `PHASES`.
        results: A `Checked` for each system: each is a run.
        seconds: From the start of the systems until they were checked.
        faults: How many were injected: one for all of them, or one for each.
    """
    if not WANTED:
        return
    counts = _read()
    sums = counts.setdefault(phase, _of(phase))
    sums["faults"] += faults
    sums["runs"] += len(results)
    sums["seconds"] = round(sums["seconds"] + seconds, 1)
    sums["seconds_most"] = max(sums["seconds_most"], round(seconds, 1))
    code = _code_of(phase)
    sums["code"][code] = sums["code"].get(code, 0) + len(results)
    for checked in results:
        for name, count in asdict(checked).items():
            sums[name] = sums.get(name, 0) + count
    _write(counts)


def progress(phase):
    """Return how far a phase is, and how long everything will still take."""
    if not WANTED:
        return phase
    done = WANTED - left(phase)
    return f"[{done}/{WANTED}; {_minutes_left():.0f} min for all] {phase}"


def plan():
    """Return what is left to do as lines of a table."""
    lines = [f"{'phase':54} {'done':>5} {'left':>5} {'s a run':>8} {'min':>6}"]
    for phase in PHASES:
        seconds = seconds_of(phase)
        minutes = left(phase) * seconds / 60
        lines.append(
            f"{phase:54} {_of(phase)['runs']:5} {left(phase):5} "
            f"{seconds:8.1f} {minutes:6.1f}"
        )
    lines.append(f"{'all':54} {'':5} {'':5} {'':8} {_minutes_left():6.1f}")
    return "\n".join(lines)


def table():
    """Return the counts as a Markdown table."""
    columns = (
        "runs",
        "faults",
        "acknowledged",
        "lost",
        "unexpected",
        "duplicated",
        "disordered",
        "recovered",
        "seconds_most",
    )
    lines = [f"| phase | {' | '.join(columns)} | code |".replace("_", " ")]
    lines.append("|---" * (len(columns) + 2) + "|")
    for phase, sums in sorted(_read().items()):
        cells = " | ".join(str(sums[name]) for name in columns)
        code = ", ".join(f"`{name}` {runs}" for name, runs in sums["code"].items())
        lines.append(f"| {phase} | {cells} | {code} |")
    return "\n".join(lines)


def forget_older():
    """Forget the library's phases of which a run was counted on other code.

    Those at the edge stay: their code is all that runs, which any commit changes.
    """
    kept = {
        phase: sums
        for phase, sums in _read().items()
        if phase.startswith(EDGE) or set(sums["code"]) == {_code_of(phase)}
    }
    _write(kept)


def main():
    """Print the plan, forget what is old, or write the table into the page."""
    if sys.argv[1:] == ["fresh"]:
        forget_older()
        return
    if sys.argv[1:] == ["plan"]:
        print(plan())  # noqa: T201 - a command line
        return
    head, begin, rest = PAGE.read_text().partition("<!-- counts -->\n")
    _, end, tail = rest.partition("<!-- /counts -->")
    PAGE.write_text(f"{head}{begin}\n{table()}\n\n{end}{tail}")


def _minutes_left():
    return sum(left(phase) * seconds_of(phase) for phase in PHASES) / 60


def _of(phase):
    empty = {"runs": 0, "faults": 0, "seconds": 0.0, "seconds_most": 0.0, "code": {}}
    return _read().get(phase, empty)


def _read():
    return json.loads(FILE.read_text()) if FILE.exists() else {}


def _write(counts):
    temporary = FILE.with_suffix(".tmp")
    temporary.write_text(json.dumps(counts, indent=2, sort_keys=True) + "\n")
    temporary.replace(FILE)


def _code_of(phase):
    """Name the last commit that changed what is tested; ``+``: not all committed."""
    paths = ["libs", "services"] if phase.startswith(EDGE) else LIBRARY
    commit = _git("log", "-1", "--format=%h", "--abbrev=10", "--", *paths)
    is_changed = _git("status", "--porcelain", "--", *paths)
    return f"{commit}{'+' if is_changed else ''}"


def _git(*words):
    result = subprocess.run(
        ["git", *words], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return result.stdout.strip()


if __name__ == "__main__":
    main()
