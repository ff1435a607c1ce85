"""Counts of fault runs in docs/faults-events.json, so that a long run can go on."""

import json
import os
from dataclasses import asdict
from pathlib import Path

FILE = Path(__file__).parents[3] / "docs" / "faults-events.json"
WANTED = int(os.environ.get("PARLEY_FAULT_RUNS", "0"))
"""Runs of each phase that shall be counted; 0: one run, not counted."""


def counted(phase):
    """Return how many runs of a phase stand in the file."""
    return int(_read().get(phase, {}).get("runs", 0))


def left(phase):
    """Return how many runs are to be done now."""
    return max(0, WANTED - counted(phase)) if WANTED else 1


def add(phase, checked, seconds):
    """Add a run to the file at once."""
    if not WANTED:
        return
    known = _read()
    sums = known.setdefault(phase, {"runs": 0, "seconds_most": 0.0})
    sums["runs"] += 1
    sums["seconds_most"] = max(sums["seconds_most"], round(seconds, 1))
    for name, count in asdict(checked).items():
        sums[name] = sums.get(name, 0) + count
    temporary = FILE.with_suffix(".tmp")
    temporary.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")
    temporary.replace(FILE)


def _read():
    return json.loads(FILE.read_text()) if FILE.exists() else {}


def table():
    """Return the file as a Markdown table."""
    columns = (
        "runs",
        "acknowledged",
        "lost",
        "unexpected",
        "duplicated",
        "disordered",
        "recovered",
        "seconds_most",
    )
    lines = [f"| phase | {' | '.join(columns)} |".replace("_", " ")]
    lines.append("|---" * (len(columns) + 1) + "|")
    for phase, sums in sorted(_read().items()):
        cells = " | ".join(str(sums[name]) for name in columns)
        lines.append(f"| {phase} | {cells} |")
    return "\n".join(lines)


def main():
    """Write the table into the page."""
    page = FILE.with_name("conformance.md")
    head, begin, rest = page.read_text().partition("<!-- counts -->\n")
    _, end, tail = rest.partition("<!-- /counts -->")
    page.write_text(f"{head}{begin}\n{table()}\n\n{end}{tail}")


if __name__ == "__main__":
    main()
