"""What each container of docker-compose.yml may do, and how it is started."""

import re

import pytest

from libs.chassis.version import VERSION
from scripts.images.smoke import USER
from tests.support.compose_file import compose_file, is_step, services

NAMES = sorted(services())
STAYING = sorted(name for name in NAMES if not is_step(services()[name]))
OURS = re.compile(
    r"\$\{PARLEY_IMAGE_PREFIX:-parley-\}([a-z]+):\$\{PARLEY_VERSION:-(.+)\}"
)
OFFICIAL = re.compile(r"[a-z]+(?:/[a-z]+)?:v?\d+\.\d+(?:\.\d+)?(?:-[a-z]+)?")
ROOT_STEP = "volumes"
ASKED_BY_ITS_IMAGE = {"auth", "chat", "gateway", "media", "notification", "project"}
NOTHING_TO_ASK_WITH = {"edge"}
"""Its image holds nginx alone; `make up` asks it from outside, as clients do."""


@pytest.mark.parametrize("name", NAMES)
def test_images_have_exact_tags(name: str) -> None:
    """An image is ours of this version, or an official one of one release (SU-1)."""
    image = services()[name]["image"]

    if match := OURS.fullmatch(image):
        assert match[2] == VERSION
    else:
        assert OFFICIAL.fullmatch(image), image
        assert "latest" not in image


@pytest.mark.parametrize("name", NAMES)
def test_ports_are_bound_to_loopback(name: str) -> None:
    """Nothing is published to a network of the machine."""
    for port in services()[name].get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:\$\{[A-Z_]+:-\d+\}:\d+", port), port


@pytest.mark.parametrize("name", NAMES)
def test_containers_are_confined(name: str) -> None:
    """No capability, no new privilege, no writable root, a user of no rights (K8-1)."""
    service = services()[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    if name == ROOT_STEP:
        assert service["cap_add"] == ["CHOWN"]
        assert service["network_mode"] == "none"
    else:
        assert service["user"] == f"{USER}:{USER}"
        assert "cap_add" not in service


@pytest.mark.parametrize("name", NAMES)
def test_containers_are_bounded(name: str) -> None:
    """Memory, processor, processes and logs have an end."""
    service = services()[name]
    limits = service["deploy"]["resources"]["limits"]

    assert set(limits) == {"cpus", "memory", "pids"}
    assert set(service["logging"]["options"]) == {"max-size", "max-file"}


@pytest.mark.parametrize("name", STAYING)
def test_containers_that_stay_come_back(name: str) -> None:
    """A crash or the machine's restart starts them again, and somebody asks them."""
    service = services()[name]

    assert service["restart"] == "unless-stopped"
    is_asked = "healthcheck" in service or name in ASKED_BY_ITS_IMAGE
    assert is_asked != (name in NOTHING_TO_ASK_WITH)


@pytest.mark.parametrize("name", NAMES)
def test_secrets_are_files_of_its_own(name: str) -> None:
    """A container mounts its own folder of secrets, to read, and no other (SE-1)."""
    service = services()[name]
    folders = [
        volume.removeprefix("${PARLEY_SECRETS}/").partition(":")
        for volume in service.get("volumes", [])
        if volume.startswith("${PARLEY_SECRETS}")
    ]

    assert all(target.endswith(":ro") for _, _, target in folders)
    owners = {
        "chat-migrations": {"chat"},
        "edge": {"edge", "edge-configuration"},
        "mongodb-2": {"mongodb"},
        "mongodb-3": {"mongodb"},
    }
    allowed = owners.get(name, {name})
    if name.startswith("topology-"):
        allowed = {"broker-administrator"}
    assert {folder for folder, _, _ in folders} <= allowed
    for key, value in service.get("environment", {}).items():
        if re.search("PASSWORD|SECRET|_KEY|_URL", key) and not key.endswith("_FILE"):
            assert "@" not in str(value), key


@pytest.mark.parametrize("name", NAMES)
def test_volumes_have_names(name: str) -> None:
    """What is to last is in a volume that `down` leaves, under a name."""
    known = compose_file()["volumes"]
    for volume in services()[name].get("volumes", []):
        source = volume.partition(":")[0]
        assert source in known or source.startswith(("${PARLEY_SECRETS}", "./deploy/"))


@pytest.mark.parametrize("name", STAYING)
def test_servers_are_ready_before_who_needs_them(name: str) -> None:
    """Who starts waits for health, and for steps to have ended well."""
    for other, wanted in services()[name].get("depends_on", {}).items():
        is_done = wanted["condition"] == "service_completed_successfully"
        assert is_done == is_step(services()[other])
        assert is_done or wanted["condition"] == "service_healthy"


@pytest.mark.parametrize("name", sorted(ASKED_BY_ITS_IMAGE))
def test_services_wait_for_their_step_of_a_release(name: str) -> None:
    """Queues are declared before a service starts, and chat's database is current."""
    waits = services()[name]["depends_on"]

    assert f"topology-{name}" in waits
    assert name != "chat" or "chat-migrations" in waits


def test_what_is_built_is_each_server() -> None:
    """Without a registry every official image but Grafana's has a target."""
    text = "docker-compose.yml", "deploy/compose/built.yml"
    files, built = (compose_file(path)["services"] for path in text)
    official = {n for n in files if OFFICIAL.fullmatch(files[n]["image"])}

    assert set(built) == official
    assert {n for n in built if "build" not in built[n]} == {"grafana"}
