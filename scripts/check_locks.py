"""Check that requirements/*.txt satisfy the groups of pyproject.toml, offline.

Each requirement of a group must be pinned in the group's file, inside its range,
with at least one hash; a group without a file, or a file without a group, fails.
"""

import re
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.supply.locks import pins_in, requirements_of


def problems_of(group: str, requirements: list[Requirement], lock: Path) -> list[str]:
    """Return what is wrong with one lock file, a sentence each."""
    if not lock.is_file():
        return [f"{lock} is missing: run `make lock`"]
    text = lock.read_text(encoding="utf-8")
    pins = pins_in(text, everywhere=True)
    versions: dict[str, set[str]] = {}
    for pin in pins:
        versions.setdefault(pin.name, set()).add(pin.version)
    problems = [f"{lock} names an address" for _ in re.findall(r"https?://", text)[:1]]
    problems += [f"{lock} has no hash of {pin.name}" for pin in pins if not pin.hashes]
    for requirement in requirements:
        held = versions.get(canonicalize_name(requirement.name), set())
        if not any(version in requirement.specifier for version in held):
            problems.append(f"{lock} does not satisfy {requirement} of {group}")
    return problems


def main() -> int:
    """Print every problem; return 1 if there is one."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    groups: dict[str, list[object]] = project["dependency-groups"]
    parts = {"crypto", "events", "chassis"}  # included by others, locked with them
    problems: list[str] = []
    for group in sorted(set(groups) - parts):
        lock = Path("requirements") / f"{group}.txt"
        problems += problems_of(group, requirements_of(group), lock)
    known = {f"{group}.txt" for group in groups}
    problems += [
        f"{lock} belongs to no group"
        for lock in sorted(Path("requirements").glob("*.txt"))
        if lock.name not in known
    ]
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
