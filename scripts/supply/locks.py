"""The packages that a lock pins, as far as an image takes them.

A lock is for every platform; what a marker leaves out of the images (Linux, CPython
3.12) is in none of them.
"""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from packaging.markers import Marker, default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("auth", "chat", "gateway", "media", "notification", "project")
SHIPPED = (*SERVICES, "edge")
OWN_ENVIRONMENTS = ("bench", "scan")
"""Locks of tools that are never installed beside Parley."""
_PIN = re.compile(
    r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(?P<version>[^\s;\\]+)"
    r"(?:\s*;\s*(?P<marker>[^\\]+?))?\s*\\?$"
)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_IN_IMAGES = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.12.0",
    "python_version": "3.12",
    "sys_platform": "linux",
}


@dataclass(frozen=True, order=True)
class Pin:
    """One package of a lock; `hashes` are the SHA-256 of the files that are taken."""

    name: str
    version: str
    hashes: tuple[str, ...]


def is_in_images(marker: Marker | None, extra: str = "") -> bool:
    """Tell whether a marker lets a package into the images."""
    environment = {**default_environment(), **_IN_IMAGES, "extra": extra}
    return marker is None or marker.evaluate(environment)


def pins_in(text: str, *, everywhere: bool = False) -> list[Pin]:
    """Return what a lock's text pins, by name; `everywhere` ignores markers."""
    found: list[Pin] = []
    is_taken = False
    for line in text.splitlines():
        if match := _PIN.match(line):
            marker = Marker(match["marker"]) if match["marker"] else None
            is_taken = everywhere or is_in_images(marker)
            if is_taken:
                found.append(
                    Pin(canonicalize_name(match["name"]), match["version"], ())
                )
        elif is_taken and (hashes := _HASH.findall(line)):
            last = found[-1]
            found[-1] = Pin(last.name, last.version, (*last.hashes, *hashes))
    return sorted(found)


def pins_of(group: str, *, everywhere: bool = False) -> list[Pin]:
    """Return what the lock of a group pins."""
    lock = ROOT / "requirements" / f"{group}.txt"
    return pins_in(lock.read_text(encoding="utf-8"), everywhere=everywhere)


def groups() -> list[str]:
    """Return every group that has a lock."""
    return sorted(lock.stem for lock in (ROOT / "requirements").glob("*.txt"))


def requirements_of(group: str) -> list[Requirement]:
    """Return what a group of pyproject.toml asks for, with what it includes."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return _requirements_in(group, tomllib.loads(text)["dependency-groups"])


def _requirements_in(group: str, known: dict[str, list[object]]) -> list[Requirement]:
    found: list[Requirement] = []
    for entry in known[group]:
        if isinstance(entry, str):
            found.append(Requirement(entry))
        elif isinstance(entry, dict):
            found.extend(_requirements_in(entry["include-group"], known))
    return found
