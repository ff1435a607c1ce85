"""Audit the locks against a snapshot of advisories, offline.

``python -m scripts.supply.advisories SNAPSHOT [--days N]`` reads documents of the OSV
schema: the archive that OSV publishes of PyPI (``all.zip``), or a folder
of them. It refuses every package of a lock that an advisory names, whatever its
severity, but for what scripts/supply/accepted.json gives a reason for, and a snapshot
whose newest advisory is older than N days.

A version is affected as https://ossf.github.io/osv-schema/ evaluates it: it is listed,
or lies in a range of the ecosystem's own versions.
"""

import argparse
import json
import operator
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from libs.kernel.clock import SystemClock
from scripts.supply.locks import Pin, groups, pins_of

_ENDS = {"fixed": operator.ge, "last_affected": operator.gt}
ACCEPTED = Path(__file__).with_name("accepted.json")
Advisory = dict[str, Any]


@dataclass(frozen=True, order=True)
class Finding:
    """An advisory that names a package of our locks."""

    name: str
    version: str
    advisory: str
    severity: str
    summary: str
    locks: tuple[str, ...]


def documents(snapshot: Path) -> Iterator[Advisory]:
    """Yield the documents of a snapshot that have not been withdrawn."""
    for text in _texts(snapshot):
        document = json.loads(text)
        if "withdrawn" not in document:
            yield document


def _texts(snapshot: Path) -> Iterator[bytes]:
    if snapshot.is_dir():
        yield from (path.read_bytes() for path in sorted(snapshot.glob("*.json")))
        return
    with zipfile.ZipFile(snapshot) as archive:
        for name in sorted(archive.namelist()):
            if name.endswith(".json"):
                yield archive.read(name)


def is_affected(version: str, affected: Advisory) -> bool:
    """Tell whether an advisory's part names a version."""
    if version in affected.get("versions", ()):
        return True
    ranges = [one for one in affected.get("ranges", ()) if one["type"] == "ECOSYSTEM"]
    return any(_lies_in(Version(version), one["events"]) for one in ranges)


def _lies_in(version: Version, events: Iterable[dict[str, str]]) -> bool:
    """Walk a range's events in the order of their versions."""
    steps = sorted((_at(at), what) for event in events for what, at in event.items())
    is_inside = False
    for at, what in steps:
        if what == "introduced" and version >= at:
            is_inside = True
        if what in _ENDS and _ENDS[what](version, at):
            is_inside = False
    return is_inside


def _at(text: str) -> Version:
    """Return an event's version; ``0`` is before all, what is none is after all."""
    try:
        return Version("0.dev0" if text == "0" else text)
    except InvalidVersion:
        return Version("99999!0")


def locked() -> dict[Pin, list[str]]:
    """Return every package of every lock, on any platform, with its locks."""
    found: dict[Pin, list[str]] = defaultdict(list)
    for group in groups():
        for pin in pins_of(group, everywhere=True):
            found[Pin(pin.name, pin.version, ())].append(group)
    return found


def findings_in(
    advisories: Iterable[Advisory], pins: dict[Pin, list[str]]
) -> list[Finding]:
    """Return which advisories name which of the packages."""
    by_name: dict[str, list[Pin]] = defaultdict(list)
    for pin in pins:
        by_name[pin.name].append(pin)
    return sorted(
        Finding(
            pin.name,
            pin.version,
            advisory["id"],
            severity_of(advisory),
            advisory.get("summary", ""),
            tuple(pins[pin]),
        )
        for advisory in advisories
        for affected in advisory.get("affected", ())
        if affected.get("package", {}).get("ecosystem") == "PyPI"
        for pin in by_name[canonicalize_name(affected["package"]["name"])]
        if is_affected(pin.version, affected)
    )


def severity_of(advisory: Advisory) -> str:
    """Return how bad an advisory says it is: a word, else a vector, else nothing."""
    if word := advisory.get("database_specific", {}).get("severity"):
        return str(word).lower()
    scores = [str(one["score"]) for one in advisory.get("severity", ())]
    return scores[0] if scores else "unknown"


def problems_of(found: Iterable[Finding], accepted: dict[str, str]) -> list[str]:
    """Return what is not accepted, and what is accepted without need."""
    named = set(found)
    problems = [
        f"{one.name} {one.version}: {one.advisory} ({one.severity}) {one.summary}"
        f" [{', '.join(one.locks)}]"
        for one in sorted(named)
        if one.advisory not in accepted
    ]
    needed = {one.advisory for one in named}
    return problems + [
        f"{advisory} is accepted and names nothing of ours"
        for advisory in sorted(set(accepted) - needed)
    ]


def main(arguments: list[str]) -> int:
    """Print what the audit found; return 1 if it is anything."""
    parser = argparse.ArgumentParser(prog="scripts.supply.advisories")
    parser.add_argument("snapshot", type=Path)
    parser.add_argument("--days", type=int, default=7)
    options = parser.parse_args(arguments)
    advisories = list(documents(options.snapshot))
    newest = max((one["modified"] for one in advisories), default="1970-01-01T00:00Z")
    pins = locked()
    accepted = json.loads(ACCEPTED.read_text(encoding="utf-8"))
    problems = problems_of(findings_in(advisories, pins), accepted)
    age = SystemClock().now() - datetime.fromisoformat(newest).astimezone(UTC)
    if age.days > options.days:
        problems.append(f"the snapshot is {age.days} days old, {options.days} may be")
    print(f"{len(pins)} packages, {len(advisories)} advisories as of {newest}")
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
