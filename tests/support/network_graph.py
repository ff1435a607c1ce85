"""Who may speak to whom: as the file says, and as policies let it happen."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EVERY = "every part"
"""In the file: whatever runs in one of the installation's own namespaces."""


@dataclass(frozen=True, order=True)
class Edge:
    """One part may open connections to another at a port."""

    source: str
    target: str
    port: int
    protocol: str


@dataclass(frozen=True)
class Graph:
    """The parts and edges of ``deploy/k8s/network.json``."""

    parts: dict[str, dict[str, Any]]
    edges: frozenset[Edge]

    @classmethod
    def read(cls, path: Path) -> "Graph":
        """Read the file; what holds for every part is spelled out."""
        document = json.loads(path.read_text(encoding="utf-8"))
        parts = document["parts"]
        edges = set()
        for edge in document["edges"]:
            sources = (
                [name for name, part in parts.items() if is_own(part)]
                if edge["from"] == EVERY
                else [edge["from"]]
            )
            edges |= {
                Edge(source, edge["to"], edge["port"], edge["protocol"])
                for source in sources
            }
        return cls(parts, frozenset(edges))

    def arriving(self) -> set[Edge]:
        """Return the edges that end at a part of our own."""
        return {edge for edge in self.edges if is_own(self.parts[edge.target])}

    def leaving(self) -> set[Edge]:
        """Return the edges that begin at a part of our own."""
        return {edge for edge in self.edges if is_own(self.parts[edge.source])}


def is_own(part: dict[str, Any]) -> bool:
    """Tell whether our policies govern a part's pods."""
    return part.get("namespace") in {"parley", "parley-data"}


def allowed(
    policies: Iterable[dict[str, Any]], graph: Graph, direction: str
) -> set[Edge]:
    """Return the connections that policies let through in one direction.

    Args:
        policies: NetworkPolicy manifests.
        graph: Its parts are the pods there are.
        direction: ``ingress`` or ``egress``.
    """
    found: set[Edge] = set()
    for policy in policies:
        spec = policy["spec"]
        here = policy["metadata"]["namespace"]
        if direction.capitalize() not in spec["policyTypes"]:
            continue
        inside = [
            name
            for name, part in graph.parts.items()
            if part.get("namespace") == here and _selects(spec["podSelector"], part)
        ]
        for rule in spec.get(direction, []):
            for outside in _peers(rule, direction, graph, here):
                for name in inside:
                    found |= _edges(rule, direction, name, outside)
    return found


def _edges(
    rule: dict[str, Any], direction: str, inside: str, outside: str
) -> Iterator[Edge]:
    assert rule.get("ports"), f"a rule of {inside} names no port"
    ends = (outside, inside) if direction == "ingress" else (inside, outside)
    return {Edge(*ends, port["port"], port["protocol"]) for port in rule["ports"]}


def _peers(
    rule: dict[str, Any], direction: str, graph: Graph, here: str
) -> Iterator[str]:
    peers = rule.get("from" if direction == "ingress" else "to")
    assert peers, "a rule without peers lets everybody through"
    for peer in peers:
        found = [name for name, part in graph.parts.items() if _is(peer, part, here)]
        assert found, f"{peer} is no part of the graph"
        yield from found


def _is(peer: dict[str, Any], part: dict[str, Any], here: str) -> bool:
    if block := peer.get("ipBlock"):
        return part.get("networks") == [block["cidr"]]
    if "networks" in part:
        return False
    namespaces = peer.get("namespaceSelector", {}).get("matchLabels")
    namespace = namespaces["kubernetes.io/metadata.name"] if namespaces else here
    if part["namespace"] != namespace:
        return False
    selector = peer.get("podSelector")
    if selector is None:  # the whole namespace
        return "pods" not in part
    return bool(selector) and _selects(selector, part)


def _selects(selector: dict[str, Any], part: dict[str, Any]) -> bool:
    labels = part.get("pods", {})
    wanted = selector.get("matchLabels", {})
    return all(labels.get(key) == value for key, value in wanted.items())
