"""The Compose files as tests read them, and the graph that they are held against."""

import json
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DOORS = "com.docker.network.bridge.enable_icc"


class _Loader(yaml.SafeLoader):
    """Takes Compose's own tags for what they hold."""


_LOADER_TAGS = {"!override": _Loader.construct_sequence}
for _tag, _construct in _LOADER_TAGS.items():
    _Loader.add_constructor(_tag, _construct)


@cache
def compose_file(path: str = "docker-compose.yml") -> dict[str, Any]:
    """Return a Compose file, anchors resolved, variables as they stand."""
    text = (ROOT / path).read_text(encoding="utf-8")
    document: dict[str, Any] = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    return document


def services() -> dict[str, dict[str, Any]]:
    """Return the containers by their names."""
    return dict(compose_file()["services"])


def is_step(service: dict[str, Any]) -> bool:
    """Tell whether a container ends by itself."""
    return bool(service["restart"] == "no")


@dataclass(frozen=True)
class Zones:
    """Networks that let their members speak with each other."""

    members: dict[str, frozenset[str]]

    @classmethod
    def read(cls) -> "Zones":
        """Return those of `docker-compose.yml`, members by the graph's names."""
        zones: dict[str, set[str]] = {
            name: set()
            for name, network in compose_file()["networks"].items()
            if network.get("driver_opts", {}).get(DOORS) != "false"
        }
        for name, service in services().items():
            for network in service.get("networks", []):
                if network in zones:
                    zones[network].add(part_of(name))
        return cls({name: frozenset(found) for name, found in zones.items()})

    def pairs(self) -> set[frozenset[str]]:
        """Return who shares a network with whom."""
        return {
            frozenset(pair)
            for found in self.members.values()
            for pair in combinations(sorted(found), 2)
        }


def part_of(container: str) -> str:
    """Return the part of the graph that a container is."""
    return str(_own_graph()["same as"].get(container, container))


def calls() -> set[tuple[str, str]]:
    """Return who may call whom, of the parts that are containers here."""
    house = json.loads((ROOT / "deploy/k8s/network.json").read_text(encoding="utf-8"))
    parts = {part_of(name) for name in services()}
    found = {
        (edge["from"], edge["to"]) for edge in (*house["edges"], *_own_graph()["edges"])
    }
    return {(a, b) for a, b in found if {a, b} <= parts and a != b}


def edges() -> set[frozenset[str]]:
    """Return who may speak with whom, whoever begins."""
    return {frozenset(pair) for pair in calls()}


@cache
def _own_graph() -> dict[str, Any]:
    path = ROOT / "deploy/compose/network.json"
    return dict(json.loads(path.read_text(encoding="utf-8")))
