"""The manifests are valid Kubernetes, and their names lead to each other."""

import kubernetes_validate
import pytest
import yaml

from libs.chassis.audit.rights import _RIGHTS, ROLE
from tests.support.manifests import (
    OVERLAYS,
    ROOT,
    environment,
    of_kind,
    pods,
    rendered,
)

VERSIONS = ("1.32.0", "1.36.0")
FOREIGN = {
    "keda.sh",
    "mongodbcommunity.mongodb.com",
    "monitoring.coreos.com",
    "rabbitmq.com",
    "redis.redis.opstreelabs.in",
}
every_overlay = pytest.mark.parametrize("overlay", OVERLAYS)


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_would_take_them(version: str) -> None:
    """Kubernetes' own kinds pass their schemas, which refuse unknown fields."""
    production = rendered("production")
    only_in_dev = [m for m in rendered("dev") if m not in production]

    for manifest in (*production, *only_in_dev):
        if manifest["apiVersion"].partition("/")[0] not in FOREIGN:
            kubernetes_validate.validate(manifest, version, strict=True)


@every_overlay
def test_services_lead_to_pods(overlay: str) -> None:
    """A Service selects pods that have the port it names."""
    for service in of_kind(overlay, "Service").values():
        if service["spec"].get("type") == "ExternalName":
            continue
        selected = [
            pod
            for pod in pods(overlay)
            if service["spec"]["selector"].items() <= pod.labels.items()
        ]
        assert [pod.kind for pod in selected] == ["Deployment"]
        names = {port["name"] for port in selected[0].containers()[0]["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= names


@every_overlay
def test_the_ingress_leads_to_the_edge(overlay: str) -> None:
    """Every path goes to it, over TLS, with time for sockets."""
    (ingress,) = of_kind(overlay, "Ingress").values()
    notes = ingress["metadata"]["annotations"]

    for rule in ingress["spec"]["rules"]:
        for path in rule["http"]["paths"]:
            backend = path["backend"]["service"]
            assert backend == {"name": "edge", "port": {"name": "https"}}
    assert notes["nginx.ingress.kubernetes.io/backend-protocol"] == "HTTPS"
    assert int(notes["nginx.ingress.kubernetes.io/proxy-read-timeout"]) >= 3600


def test_one_scaler_a_deployment() -> None:
    """Two would fight; and the number in the manifest must not undo the scaler's."""
    deployments = of_kind("production", "Deployment")
    scalers = [
        *of_kind("production", "HorizontalPodAutoscaler").values(),
        *of_kind("production", "ScaledObject").values(),
    ]
    targets = [scaler["spec"]["scaleTargetRef"]["name"] for scaler in scalers]

    assert sorted(targets) == sorted(set(deployments) - {"collector", "edge"})
    for target in targets:
        assert "replicas" not in deployments[target]["spec"]


def test_the_collector_is_told_what_it_runs() -> None:
    """Its configuration is the file beside the rules, and listens where it is asked."""
    (pod,) = [pod for pod in pods("production") if pod.name == "collector"]
    (volume,) = pod.spec["volumes"]
    shipped = of_kind("production", "ConfigMap")[volume["configMap"]["name"]]["data"]
    text = (ROOT / "deploy/observability/collector.yml").read_text("utf-8")
    running = yaml.safe_load(text)
    (container,) = pod.containers()
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}

    assert shipped == {"collector.yml": text}
    endpoint = running["receivers"]["otlp"]["protocols"]["http"]["endpoint"]
    assert endpoint == f"0.0.0.0:{ports['otlp']}"
    health = running["extensions"]["health_check"]["endpoint"]
    assert health == f"0.0.0.0:{ports['health']}"
    memory = container["resources"]["limits"]["memory"]
    assert running["processors"]["memory_limiter"]["limit_mib"] < int(
        memory.removesuffix("Mi")
    )
    collects_at = environment(container)["GOMEMLIMIT"]["value"]
    assert int(collects_at.removesuffix("MiB")) < int(memory.removesuffix("Mi"))


def test_every_rule_is_shipped() -> None:
    """Prometheus gets each file of alert rules that there is."""
    shipped = of_kind("production", "ConfigMap")["parley-alert-rules"]["data"]
    files = (ROOT / "deploy/observability/rules").glob("*.yml")

    assert shipped == {file.name: file.read_text("utf-8") for file in files}


@every_overlay
def test_the_databases_rights_are_the_code_s(overlay: str) -> None:
    """The operator grants an audit what the library would."""
    spec = of_kind(overlay, "MongoDBCommunity")["mongodb"]["spec"]
    stores = {user["db"] for user in spec["users"]} - {"admin"}

    assert {role["db"] for role in spec["security"]["roles"]} == {
        f"{store}_audit" for store in stores
    }
    for role in spec["security"]["roles"]:
        assert role["role"] == ROLE
        granted = {
            privilege["resource"]["collection"]: tuple(privilege["actions"])
            for privilege in role["privileges"]
            if privilege["resource"]["db"] == role["db"]
        }
        assert granted == _RIGHTS
