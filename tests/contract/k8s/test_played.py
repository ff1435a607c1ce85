"""What podman plays differs from what a cluster runs in nothing that confines it."""

import copy
from pathlib import Path

import pytest

from scripts.images.play import SERVICES, playable
from tests.support.manifests import environment, of_kind


@pytest.mark.parametrize("service", SERVICES)
def test_confinement_is_as_rendered(service: str) -> None:
    """Security contexts, bounds and volumes stay, but for the one of the secrets."""
    rendered = of_kind("dev", "Deployment")[service]["spec"]["template"]["spec"]

    changed = playable(
        copy.deepcopy(of_kind("dev", "Deployment")[service]), {}, Path("/secrets")
    )["spec"]["template"]["spec"]

    assert changed["securityContext"] == rendered["securityContext"]
    for key in ("securityContext", "resources", "volumeMounts"):
        assert changed["containers"][0][key] == rendered["containers"][0][key]
    volumes = {volume["name"]: volume for volume in changed["volumes"]}
    assert volumes["secrets"]["hostPath"]["path"] == "/secrets"
    for volume in rendered["volumes"]:
        assert volume["name"] == "secrets" or volumes[volume["name"]] == volume


def test_addresses_are_those_of_the_machine() -> None:
    """What is given wins over the manifest, and is there once."""
    here = {"CHAT_AUTH_URL": "http://127.0.0.1:1", "CHAT_PORT": "2"}

    changed = playable(
        copy.deepcopy(of_kind("dev", "Deployment")["chat"]), here, Path("/secrets")
    )

    (container,) = changed["spec"]["template"]["spec"]["containers"]
    names = [variable["name"] for variable in container["env"]]
    assert len(names) == len(set(names))
    values = environment(container)
    assert {name: values[name]["value"] for name in here} == here
