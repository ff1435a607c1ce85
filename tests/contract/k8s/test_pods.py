"""Every pod of every overlay keeps the rules of production."""

import importlib
import re

import pytest

from libs.backup.settings import BackupSettings
from libs.chassis.settings import SECRETS_DIR_VARIABLE
from tests.support.manifests import OVERLAYS, Pod, environment, of_kind, pods

SERVICES = ("auth", "chat", "gateway", "media", "notification", "project")
HARMLESS_VOLUMES = {
    "configMap",
    "emptyDir",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
LEAST_USER = 10_000
LEAST_PATIENCE_SECONDS = 30

ALL_PODS = [
    pytest.param(pod, id=f"{overlay}-{pod.name}")
    for overlay in OVERLAYS
    for pod in pods(overlay)
]
ALL_SERVICES = [
    pytest.param(pod, id=f"{overlay}-{pod.name}")
    for overlay in OVERLAYS
    for pod in pods(overlay)
    if pod.kind == "Deployment" and pod.name in SERVICES
]
every_pod = pytest.mark.parametrize("pod", ALL_PODS)
every_service = pytest.mark.parametrize("pod", ALL_SERVICES)
every_overlay = pytest.mark.parametrize("overlay", OVERLAYS)


@every_pod
def test_it_keeps_to_the_restricted_standard(pod: Pod) -> None:
    """Kubernetes' Pod Security Standard "restricted", line by line (K8-1)."""
    context = pod.spec["securityContext"]

    assert context["runAsNonRoot"] is True
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    for forbidden in ("hostNetwork", "hostPID", "hostIPC"):
        assert not pod.spec.get(forbidden)
    for volume in pod.spec.get("volumes", []):
        assert set(volume) - {"name"} <= HARMLESS_VOLUMES
    for container in pod.containers():
        own = container["securityContext"]
        assert own["allowPrivilegeEscalation"] is False
        assert own["capabilities"] == {"drop": ["ALL"]}
        assert not own.get("privileged")
        assert "runAsUser" not in own
        assert not any("hostPort" in port for port in container.get("ports", []))


@every_pod
def test_it_writes_where_it_may(pod: Pod) -> None:
    """Read-only root, a user with a high number, bounded scratch space (K8-1)."""
    assert pod.spec["securityContext"]["runAsUser"] > LEAST_USER
    for container in pod.containers():
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
    for volume in pod.spec["volumes"]:
        if "emptyDir" in volume:
            assert volume["emptyDir"]["sizeLimit"]


@every_pod
def test_it_has_no_account_at_the_cluster(pod: Pod) -> None:
    """No token is mounted, and its account has none either (K8-1)."""
    assert pod.spec["automountServiceAccountToken"] is False
    account = of_kind("production", "ServiceAccount")[pod.spec["serviceAccountName"]]
    assert account["automountServiceAccountToken"] is False


@every_pod
def test_it_is_bounded(pod: Pod) -> None:
    """Every container asks for something and may have so much (K8-1)."""
    for container in pod.containers():
        for kind in ("requests", "limits"):
            assert set(container["resources"][kind]) == {"cpu", "memory"}


@every_pod
def test_secrets_are_files(pod: Pod) -> None:
    """No variable holds one: a variable is in every dump of a process (SE-1)."""
    for container in pod.containers():
        assert "envFrom" not in container
        for variable in container.get("env", []):
            assert "secretKeyRef" not in variable.get("valueFrom", {})
            assert not re.search(r"_(URL)$", variable["name"]) or not re.search(
                r"(MONGO|AMQP|REDIS)_URL$", variable["name"]
            )


@every_pod
def test_secrets_are_not_for_everybody(pod: Pod) -> None:
    """The files can be read by the owner and the pod's group."""
    for volume in pod.spec["volumes"]:
        for kind in ("secret", "projected"):
            if kind in volume:
                assert volume[kind]["defaultMode"] == 0o440


def test_a_volume_that_stays_is_of_one_service() -> None:
    """Checkpoints of an audit, where its pods and no others may write (AU-1).

    Backups have one of their own.
    """
    claims = of_kind("production", "PersistentVolumeClaim")
    users: dict[str, list[str]] = {}
    for pod in pods("production"):
        for volume in pod.spec["volumes"]:
            if claim := volume.get("persistentVolumeClaim"):
                users.setdefault(claim["claimName"], []).append(pod.name)

    audited = {"auth", "chat", "media", "project"}
    expected = {f"{service}-audit": [service] for service in audited}
    assert users == expected | {"backups": ["backup", "backup-segment"]}
    assert set(claims) == set(users)
    for claim in claims.values():
        assert claim["spec"]["accessModes"] == ["ReadWriteMany"]


@every_service
def test_no_outage_of_another_ends_it(pod: Pod) -> None:
    """Alive asks nothing outside; ready does; both wait a while (K8-1)."""
    (container,) = pod.containers()

    for probe in ("startupProbe", "livenessProbe"):
        assert container[probe]["httpGet"] == {"path": "/health/live", "port": "http"}
        seconds = (
            container[probe]["periodSeconds"] * container[probe]["failureThreshold"]
        )
        assert seconds >= LEAST_PATIENCE_SECONDS
    ready = container["readinessProbe"]
    assert ready["httpGet"] == {"path": "/health/ready", "port": "http"}


@every_service
def test_it_has_time_to_end(pod: Pod) -> None:
    """Drain and requests, then the lifespan, may each take the service's own time."""
    module = importlib.import_module(f"services.{pod.name}.settings")
    fields = getattr(module, f"{pod.name.capitalize()}Settings").model_fields
    (container,) = pod.containers()
    values = environment(container)

    def seconds(name: str) -> float:
        given = values.get(f"{pod.name.upper()}_{name.upper()}", {}).get("value")
        return float(given or fields[name].default)

    assert pod.spec["terminationGracePeriodSeconds"] > 2 * seconds("shutdown_seconds")
    assert seconds("drain_seconds") >= 5


@every_service
def test_it_is_spread(pod: Pod) -> None:
    """Over zones and over nodes, and only among its own revision."""
    keys = {c["topologyKey"] for c in pod.spec["topologySpreadConstraints"]}

    assert keys == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}
    for constraint in pod.spec["topologySpreadConstraints"]:
        assert constraint["labelSelector"]["matchLabels"].items() <= pod.labels.items()


@every_overlay
def test_a_node_can_be_drained(overlay: str) -> None:
    """Each Deployment gives away one pod at a time, and never none (K8-1)."""
    budgets = of_kind(overlay, "PodDisruptionBudget")

    for name, deployment in of_kind(overlay, "Deployment").items():
        budget = budgets[name]["spec"]
        assert budget["maxUnavailable"] == 1
        wanted = budget["selector"]["matchLabels"].items()
        assert wanted <= deployment["spec"]["template"]["metadata"]["labels"].items()
        strategy = deployment["spec"]["strategy"]["rollingUpdate"]
        assert strategy == {"maxUnavailable": 0, "maxSurge": 1}


def test_production_names_images_by_digest() -> None:
    """A tag can be moved; what was tested cannot (K8-1)."""
    for pod in pods("production"):
        for container in pod.containers():
            assert re.search(r"@sha256:[0-9a-f]{64}$", container["image"])


def test_development_names_images_by_version() -> None:
    """Never by nothing, never by latest."""
    for pod in pods("dev"):
        for container in pod.containers():
            assert re.search(r":\d+\.\d+\.\d+$", container["image"])


@every_overlay
def test_a_step_can_be_repeated(overlay: str) -> None:
    """It goes away when it is done: a Job of the same name cannot be changed."""
    for job in of_kind(overlay, "Job").values():
        assert job["spec"]["ttlSecondsAfterFinished"] <= 3600
        assert job["spec"]["backoffLimit"] > 0
        assert job["spec"]["template"]["spec"]["restartPolicy"] == "OnFailure"


def test_backups_are_taken_in_time() -> None:
    """One a day, a segment within the five minutes that may be lost, never two."""
    jobs = of_kind("production", "CronJob")
    assert jobs["backup"]["spec"]["schedule"].split()[2:] == ["*", "*", "*"]
    minutes = jobs["backup-segment"]["spec"]["schedule"].split()
    assert minutes[1:] == ["*"] * 4
    assert 2 * int(minutes[0].removeprefix("*/")) <= 5
    for job in jobs.values():
        assert job["spec"]["concurrencyPolicy"] == "Forbid"
        assert job["spec"]["jobTemplate"]["spec"]["activeDeadlineSeconds"] > 0


def test_backups_are_told_what_they_need() -> None:
    """Each variable is a setting of theirs, and they hold no key but the store's."""
    settings = {f"BACKUP_{name}".upper() for name in BackupSettings.model_fields}
    for pod in pods("production"):
        if pod.kind == "CronJob":
            (container,) = pod.containers()
            given = set(environment(container)) - {SECRETS_DIR_VARIABLE}
            assert "BACKUP_FOLDER" in given <= settings
            secrets = next(one for one in pod.spec["volumes"] if "projected" in one)
            assert secrets["projected"]["sources"] == [{"secret": {"name": "backup"}}]
