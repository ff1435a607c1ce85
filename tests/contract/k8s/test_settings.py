"""Every pod is told what its settings ask for, and nothing they do not know."""

import importlib
from typing import Any

import pytest

from libs.chassis.settings import SECRETS_DIR_VARIABLE
from tests.support.manifests import OVERLAYS, Pod, environment, of_kind, pods
from tests.unit.images.test_dockerfile import environment as image_environment

SERVICES = ("auth", "chat", "gateway", "media", "notification", "project")
SECRETS = "/run/secrets/parley"
ALL = [
    pytest.param(overlay, pod, id=f"{overlay}-{pod.name}")
    for overlay in OVERLAYS
    for pod in pods(overlay)
    if pod.name in (*SERVICES, "chat-migrations")
]
every_pod = pytest.mark.parametrize(("overlay", "pod"), ALL)


def fields_of(service: str) -> dict[str, Any]:
    """Return a service's settings by the names of their variables."""
    module = importlib.import_module(f"services.{service}.settings")
    fields = getattr(module, f"{service.capitalize()}Settings").model_fields
    return {f"{service}_{name}".upper(): field for name, field in fields.items()}


def service_of(pod: Pod) -> str:
    """Return the service whose image a pod runs."""
    return pod.name.partition("-")[0]


@every_pod
def test_it_is_told_what_it_needs(overlay: str, pod: Pod) -> None:
    """What has no default is in its variables, its image, or one of its secrets."""
    service = service_of(pod)
    given = set(environment(pod.containers()[0]))
    given |= set(image_environment(f"service-{service}"))
    required = {
        name
        for name, field in fields_of(service).items()
        if field.is_required() and "SecretStr" not in str(field.annotation)
    }

    assert required <= given


@every_pod
def test_it_is_told_nothing_unknown(overlay: str, pod: Pod) -> None:
    """A misspelled variable would be ignored in silence."""
    given = set(environment(pod.containers()[0])) - {SECRETS_DIR_VARIABLE}

    assert given <= set(fields_of(service_of(pod)))


@every_pod
def test_what_it_reads_from_the_house_is_there(overlay: str, pod: Pod) -> None:
    """Every reference to the installation's values has its key."""
    (house,) = [
        manifest["data"]
        for name, manifest in of_kind(overlay, "ConfigMap").items()
        if name.startswith("parley-") and "public-url" in manifest["data"]
    ]
    for variable in environment(pod.containers()[0]).values():
        if reference := variable.get("valueFrom", {}).get("configMapKeyRef"):
            assert reference["key"] in house


@every_pod
def test_its_key_files_are_secrets(overlay: str, pod: Pod) -> None:
    """Files of keys lie in the one folder of secrets, an audit's on its volume."""
    (container,) = pod.containers()
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    for name, variable in environment(container).items():
        if name.endswith("_AUDIT_CHECKPOINTS_FILE"):
            assert variable["value"].startswith(f"{mounts['audit']}/")
        elif name.endswith("_FILE"):
            assert variable["value"].startswith(f"{SECRETS}/")
