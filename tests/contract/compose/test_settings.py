"""What services are told in docker-compose.yml is what they ask for."""

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from deploy.compose.installation import Installation, open_installation
from deploy.compose.secret_files import write_secret_files
from tests.contract.k8s.test_settings import fields_of
from tests.support.compose_file import services

SERVICES = ("auth", "chat", "gateway", "media", "notification", "project")
SECRETS = "/run/secrets/parley"
OF_LIBRARIES = {"PARLEY_SECRETS_DIR", "HTTPS_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE"}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """An installation whose secrets have been made."""
    installation = open_installation(tmp_path_factory.mktemp("compose"), {})
    write_secret_files(installation)
    return installation


@pytest.mark.parametrize("service", SERVICES)
def test_settings_are_known(service: str) -> None:
    """Every variable is a field of the service's settings."""
    told = set(services()[service]["environment"]) - OF_LIBRARIES

    assert told <= set(fields_of(service))


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_required_is_there(service: str, written: Installation) -> None:
    """A required setting is a variable, or a file of the container's secrets."""
    told = services()[service]["environment"]
    files = {path.name for path in (written.secrets / service).iterdir()}

    for name, field in fields_of(service).items():
        if field.is_required() and name != f"{service.upper()}_DATA_DIR":
            assert name in told or name.lower() in files, name


@pytest.mark.parametrize("name", sorted(services()))
def test_files_that_are_named_are_there(name: str, written: Installation) -> None:
    """What a variable names below the secrets is in the folder that is mounted."""
    for value in services()[name].get("environment", {}).values():
        if str(value).startswith(f"{SECRETS}/"):
            folder = "chat" if name == "chat-migrations" else name
            path = Path(folder) / str(value).removeprefix(f"{SECRETS}/")
            assert (written.secrets / path).is_file(), value


@pytest.mark.parametrize("name", sorted(services()))
def test_folders_that_are_mounted_are_there(name: str, written: Installation) -> None:
    """Each folder of secrets that a container mounts is written and holds something."""
    for volume in services()[name].get("volumes", []):
        if volume.startswith("${PARLEY_SECRETS}/"):
            folder = volume.removeprefix("${PARLEY_SECRETS}/").partition(":")[0]
            assert any((written.secrets / folder).iterdir()), folder


def test_media_is_known_at_the_store(written: Installation) -> None:
    """The keys in media's file are those of an identity of the store."""
    keys = json.loads((written.secrets / "media" / "s3-credentials.json").read_text())
    known = json.loads((written.secrets / "s3" / "s3.json").read_text())["identities"]

    pair = {"accessKey": keys["access_key"], "secretKey": keys["secret_key"]}
    assert pair in [identity["credentials"][0] for identity in known]


def test_addresses_are_containers() -> None:
    """An address among the settings is a container's name and a port that it has."""
    known = services()
    for service in SERVICES:
        for value in known[service]["environment"].values():
            if str(value).startswith("http://"):
                host = urlsplit(value).hostname
                assert host in known
