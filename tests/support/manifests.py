"""What the overlays of deploy/k8s render to, for the tests that hold it to rules."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
OVERLAYS = ("dev", "production")
Manifest = dict[str, Any]


@dataclass(frozen=True)
class Pod:
    """A pod template of a rendering.

    Attributes:
        kind: Of its owner: Deployment, Job or CronJob.
        name: Of its owner.
        namespace: Where it runs.
        labels: Its own.
        spec: Its specification.
    """

    kind: str
    name: str
    namespace: str
    labels: dict[str, str]
    spec: dict[str, Any]

    def containers(self) -> list[dict[str, Any]]:
        """Return all containers, those that run first too."""
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]


@cache
def rendered(overlay: str) -> tuple[Manifest, ...]:
    """Render an overlay; the result is shared, so nobody may change it."""
    kubectl = Path(sys.executable).parent / "kubectl"
    result = subprocess.run(
        [str(kubectl), "kustomize", str(ROOT / "deploy/k8s/overlays" / overlay)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return tuple(yaml.safe_load_all(result.stdout))


def of_kind(overlay: str, kind: str) -> dict[str, Manifest]:
    """Return the manifests of a kind, by name."""
    return {
        manifest["metadata"]["name"]: manifest
        for manifest in rendered(overlay)
        if manifest["kind"] == kind
    }


def pods(overlay: str) -> Iterator[Pod]:
    """Yield the pods of Deployments, Jobs and CronJobs."""
    for manifest in rendered(overlay):
        if manifest["kind"] in {"Deployment", "Job", "CronJob"}:
            template = manifest["spec"].get("jobTemplate", manifest)["spec"]["template"]
            yield Pod(
                manifest["kind"],
                manifest["metadata"]["name"],
                manifest["metadata"]["namespace"],
                template["metadata"]["labels"],
                template["spec"],
            )


def environment(container: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return a container's variables by name."""
    return {variable["name"]: variable for variable in container.get("env", [])}
