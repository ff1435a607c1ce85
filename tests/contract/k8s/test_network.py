"""The network policies let through what the graph names, and nothing else."""

import copy
import re

import pytest

from tests.support.manifests import (
    OVERLAYS,
    ROOT,
    environment,
    of_kind,
    pods,
    rendered,
)
from tests.support.network_graph import Edge, Graph, allowed

ADDRESS = re.compile(r"http://([a-z0-9-]+):(\d+)")
GRAPH = Graph.read(ROOT / "deploy/k8s/network.json")


def policies(overlay: str) -> list[dict]:
    """Return an overlay's network policies."""
    return [m for m in rendered(overlay) if m["kind"] == "NetworkPolicy"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_arrives_is_what_is_documented(overlay: str) -> None:
    """No pod takes a connection that the graph has not (K8-1)."""
    assert allowed(policies(overlay), GRAPH, "ingress") == GRAPH.arriving()


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_leaves_is_what_is_documented(overlay: str) -> None:
    """No pod opens a connection that the graph has not (K8-1)."""
    assert allowed(policies(overlay), GRAPH, "egress") == GRAPH.leaving()


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("namespace", ["parley", "parley-data"])
def test_what_is_not_named_is_denied(overlay: str, namespace: str) -> None:
    """One policy a namespace selects every pod and lets nothing through (K8-1)."""
    denials = [
        policy["spec"]
        for policy in policies(overlay)
        if policy["metadata"] == {"name": "default-deny", "namespace": namespace}
    ]

    assert denials == [{"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_pod_is_a_part(overlay: str) -> None:
    """A pod that the graph does not know would have no edge at all."""
    for pod in pods(overlay):
        part = GRAPH.parts[pod.name]
        assert part["namespace"] == pod.namespace
        assert part["pods"].items() <= pod.labels.items()


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_ports_are_those_that_pods_listen_at(overlay: str) -> None:
    """Every edge to a pod of ours ends at a port that it has."""
    ports = {
        pod.name: {
            port["containerPort"]
            for container in pod.containers()
            for port in container.get("ports", [])
        }
        for pod in pods(overlay)
    }

    for edge in GRAPH.edges:
        if edge.target in ports:
            assert edge.port in ports[edge.target]
    assert set(of_kind(overlay, "Deployment")) <= set(ports)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_who_is_told_an_address_may_go_there(overlay: str) -> None:
    """Every address of another service among a pod's settings is an edge."""
    told = {
        Edge(pod.name, match[1], int(match[2]), "TCP")
        for pod in pods(overlay)
        if pod.kind == "Deployment"
        for variable in environment(pod.containers()[0]).values()
        if (match := ADDRESS.fullmatch(variable.get("value", "")))
    }

    assert told
    assert told <= GRAPH.edges


@pytest.mark.parametrize("direction", ["ingress", "egress"])
def test_a_rule_too_many_is_seen(direction: str) -> None:
    """The comparison bites: one more peer is one more edge."""
    changed = copy.deepcopy(policies("production"))
    peer = "from" if direction == "ingress" else "to"
    (auth,) = [p for p in changed if p["metadata"]["name"] == "auth"]
    labels = {"app.kubernetes.io/name": "edge"}
    auth["spec"][direction].append(
        {
            peer: [{"podSelector": {"matchLabels": labels}}],
            "ports": [{"protocol": "TCP", "port": 21011}],
        }
    )

    seen = allowed(changed, GRAPH, direction)

    wanted = GRAPH.arriving() if direction == "ingress" else GRAPH.leaving()
    assert len(seen - wanted) == 1
