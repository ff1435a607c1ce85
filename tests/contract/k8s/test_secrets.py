"""The Secrets that an operator is given are those that pods and operators ask for."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from scripts.k8s_secrets import main
from tests.contract.k8s.test_settings import SECRETS, SERVICES, fields_of
from tests.support.manifests import environment, of_kind, pods, rendered

OWN = {"edge-tls", "fcm"}
"""What only the operator has: a certificate, an account at Firebase."""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Write an installation's Secrets; return what each holds, by its name."""
    folder = tmp_path_factory.mktemp("secrets")
    assert main([str(folder)]) == 0
    manifests = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    return {manifest["metadata"]["name"]: manifest for manifest in manifests}


def sources(spec: dict[str, Any]) -> set[str]:
    """Return the Secrets and ConfigMaps that a pod's secret files come from."""
    found = set()
    for volume in spec["volumes"]:
        if "secret" in volume:
            found.add(volume["secret"]["secretName"])
        for source in volume.get("projected", {}).get("sources", []):
            found |= {reference["name"] for reference in source.values()}
    return found


def test_pods_find_their_secrets(written: dict[str, dict[str, Any]]) -> None:
    """What a pod mounts is written, in its namespace, but for the operator's own."""
    for pod in pods("production"):
        for name in sources(pod.spec) - OWN:
            assert written[name]["metadata"]["namespace"] == pod.namespace


def test_services_find_their_files(written: dict[str, dict[str, Any]]) -> None:
    """Key files that a setting names, and secrets without a default, are in them."""
    for pod in pods("dev"):
        if pod.name not in SERVICES:
            continue
        files = {key for name in sources(pod.spec) for key in written[name]["data"]}
        for name, variable in environment(pod.containers()[0]).items():
            if name.endswith("_FILE"):
                assert variable["value"].removeprefix(f"{SECRETS}/") in files
        for name, field in fields_of(pod.name).items():
            if field.is_required() and "SecretStr" in str(field.annotation):
                assert name.lower() in files


def test_operators_find_their_secrets(written: dict[str, dict[str, Any]]) -> None:
    """Accounts of the databases and the broker, and the list of the cache."""
    database = of_kind("production", "MongoDBCommunity")["mongodb"]["spec"]
    wanted = {user["passwordSecretRef"]["name"] for user in database["users"]}
    wanted |= {
        manifest["spec"]["importCredentialsSecret"]["name"]
        for manifest in rendered("production")
        if manifest["kind"] == "User"
    }
    cache = of_kind("production", "Redis")["redis"]["spec"]
    wanted.add(cache["acl"]["secret"]["secretName"])

    for name in wanted:
        assert written[name]["metadata"]["namespace"] == "parley-data"


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    """Passwords that are in use stay."""
    main([str(tmp_path)])
    before = {path: path.read_text() for path in tmp_path.glob("*.json")}

    main([str(tmp_path)])

    assert {path: path.read_text() for path in tmp_path.glob("*.json")} == before
    assert {path.stat().st_mode & 0o777 for path in before} == {0o600}


def test_two_installations_share_no_secret(
    written: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    """Each folder is made anew, from random bytes."""
    main([str(tmp_path)])
    other = json.loads((tmp_path / "parley-chat.json").read_text())["data"]

    for key, value in written["chat"]["data"].items():
        assert base64.b64decode(value) != base64.b64decode(other[key])
