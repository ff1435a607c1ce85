"""Choices of an installation by Compose, and the secrets that are made for it."""

import json
import stat
from pathlib import Path

import pytest
import yaml

from deploy.compose import recovery
from deploy.compose.calls import compose_command
from deploy.compose.cli import main
from deploy.compose.installation import open_installation
from deploy.compose.secret_files import write_secret_files
from deploy.embedded.errors import StackError


def test_choices_are_remembered(tmp_path: Path) -> None:
    """What `up` was told holds for later commands, until it is told something else."""
    told = {"PARLEY_IMAGES": "built", "PARLEY_PORT_BASE": "23000"}
    open_installation(tmp_path, told).record()

    later = open_installation(tmp_path, {})
    assert later.is_built
    assert later.port("edge_tls") == 23002
    assert not open_installation(tmp_path, {"PARLEY_IMAGES": "official"}).is_built


def test_a_registry_is_remembered_until_it_is_said_to_be_none(tmp_path: Path) -> None:
    """`make demo`, which brings up too, takes the images that `make up` took."""
    told = {"PARLEY_IMAGE_PREFIX": "registry/parley-", "PARLEY_PROFILES": "monitoring"}
    open_installation(tmp_path, told).record()

    later = open_installation(tmp_path, {}).settings()
    assert later["PARLEY_IMAGE_PREFIX"] == "registry/parley-"
    none = {"PARLEY_IMAGE_PREFIX": "", "PARLEY_PROFILES": "", "PARLEY_HOST": ""}
    later = open_installation(tmp_path, none).settings()
    assert later["PARLEY_IMAGE_PREFIX"] == later["COMPOSE_PROFILES"] == ""
    assert later["PARLEY_HOST"] == "localhost"


@pytest.mark.parametrize("profiles", ["", "monitoring"])
def test_a_set_of_three_does_not_lose_two_by_a_word(
    tmp_path: Path,
    profiles: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Refused before anything is written; what was chosen holds."""
    told = {"PARLEY_PROFILES": "monitoring,replicas"}
    open_installation(tmp_path, told).record()
    monkeypatch.setenv("PARLEY_PROFILES", profiles)
    assert main(["--root", str(tmp_path), "prepare"]) == 1
    assert "three members" in capsys.readouterr().err
    assert len(open_installation(tmp_path, {}).members) == 3
    assert not (tmp_path / "secrets").exists()


@pytest.mark.parametrize(
    ("had", "told"), [("monitoring", ""), ("", "replicas"), ("replicas", "replicas")]
)
def test_other_profiles_come_and_go(tmp_path: Path, had: str, told: str) -> None:
    """What loses no member of the set is nobody else's choice."""
    open_installation(tmp_path, {"PARLEY_PROFILES": had}).record()
    open_installation(tmp_path, {"PARLEY_PROFILES": told}).refuse_fewer_members()


@pytest.mark.parametrize("name", ["a:b", "a$HOME", "a #b"])
def test_a_folder_that_compose_misreads_is_refused(tmp_path: Path, name: str) -> None:
    """Its settings and mounts would name another one."""
    with pytest.raises(StackError):
        open_installation(tmp_path / name, {})


@pytest.mark.parametrize(
    "command",
    [
        *(["logs"], ["compose", "ps"], ["status"], ["down"]),
        *([name, "/srv/backups"] for name in ("backup", "segment", "restore")),
    ],
)
def test_without_an_engine_a_sentence_says_so(
    tmp_path: Path,
    command: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not a traceback, whatever was asked for."""
    open_installation(tmp_path, {}).record()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["--root", str(tmp_path), *command]) == 1
    assert "no Docker engine" in capsys.readouterr().err


@pytest.mark.parametrize(
    "told",
    [
        {"PARLEY_IMAGES": "guessed"},
        {"PARLEY_PROFILES": "replicas,unheard"},
        {"PARLEY_PORT_BASE": "many"},
        {"PARLEY_PORT_BASE": "80"},
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, told: dict[str, str]) -> None:
    """A choice that Compose would fail on is named before anything is done."""
    with pytest.raises(StackError):
        open_installation(tmp_path, told)


def test_origins_name_the_published_port(tmp_path: Path) -> None:
    """Site and files are two hosts on one port."""
    settings = open_installation(tmp_path, {"PARLEY_PORT_BASE": "23000"}).settings()

    assert settings["PARLEY_PUBLIC_URL"] == "https://localhost:23002"
    assert settings["PARLEY_FILES_URL"] == "https://127.0.0.1:23002"


def test_replicas_are_told_to_everybody(tmp_path: Path) -> None:
    """With the profile, services and the step know all three members."""
    installation = open_installation(tmp_path, {"PARLEY_PROFILES": "replicas"})
    write_secret_files(installation)

    members = "mongodb:27017,mongodb-2:27017,mongodb-3:27017"
    assert installation.settings()["PARLEY_MONGODB_MEMBERS"] == members
    url = (installation.secrets / "chat" / "chat_mongo_url").read_text()
    assert f"@{members}/parley_chat?" in url


def test_files_are_laid_over_each_other(tmp_path: Path) -> None:
    """Built servers add their file, and the operator's own comes last."""
    installation = open_installation(tmp_path, {"PARLEY_IMAGES": "built"})
    installation.own_file.write_text("services: {}\n")

    words = compose_command(installation)
    files = [Path(words[at + 1]).name for at, w in enumerate(words) if w == "--file"]
    assert files == ["docker-compose.yml", "built.yml", "own.yml"]


def test_others_cannot_enter(tmp_path: Path) -> None:
    """The folder is the owner's; below it the group may read, and nobody else."""
    installation = open_installation(tmp_path, {})
    write_secret_files(installation)

    assert stat.S_IMODE(installation.secrets.stat().st_mode) == 0o700
    for path in installation.secrets.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o750 if path.is_dir() else 0o640), path


def test_keys_that_were_put_back_are_for_containers(tmp_path: Path) -> None:
    """A copy's files are for their owner alone, and containers are of the group."""
    installation = open_installation(tmp_path, {})
    write_secret_files(installation)
    ring = installation.secrets / "chat" / "storage-keys.json"
    ring.chmod(0o600)
    write_secret_files(installation)

    assert stat.S_IMODE(ring.stat().st_mode) == 0o640


def test_backups_read_and_restores_write(tmp_path: Path) -> None:
    """A backup has the account that changes nothing, a restore the one that may."""
    installation = open_installation(tmp_path, {})
    write_secret_files(installation)
    urls = [
        (installation.secrets / name / "backup_mongo_url").read_text()
        for name in ("backup", "restore")
    ]

    assert [url.partition(":")[2].split(":")[0] for url in urls] == [
        "//backup",
        "//admin",
    ]


def test_keys_are_refused_beside_the_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is backed up, with the error's name and code."""
    monkeypatch.setattr(recovery, "require_engine", lambda: None)
    folder = str(tmp_path / "backups")
    words = ["--root", str(tmp_path), "backup", folder, "--keys", folder]

    assert main(words) == 1
    assert "error: " in capsys.readouterr().err
    assert not (tmp_path / "backups").exists()


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    """Passwords in use stay, and so do rotated keys and an operator's certificate."""
    installation = open_installation(tmp_path, {})
    write_secret_files(installation)
    (installation.secrets / "edge" / "tls.crt").write_text("the operator's own")
    (installation.secrets / "chat" / "storage-keys.json").write_text("rotated")
    before = {p: p.read_text() for p in tmp_path.rglob("*") if p.is_file()}

    write_secret_files(installation)

    assert {p: p.read_text() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_addresses_follow_the_choices(tmp_path: Path) -> None:
    """Another port or more members are in the files after the next `up`."""
    write_secret_files(open_installation(tmp_path, {}))
    told = {"PARLEY_PROFILES": "replicas", "PARLEY_HOST": "chat.example.org"}
    installation = open_installation(tmp_path, told)

    write_secret_files(installation)

    url = (installation.secrets / "auth" / "auth_mongo_url").read_text()
    edge = (installation.secrets / "edge-configuration" / "nginx.conf").read_text()
    assert "mongodb-3:27017" in url
    assert "server_name chat.example.org;" in edge


def test_stand_ins_know_their_own_accounts_alone(tmp_path: Path) -> None:
    """A container that is broken into tells no password of another server."""
    installation = open_installation(tmp_path, {})
    write_secret_files(installation)

    for name, server in (("smtp", "smtp"), ("database-step", "mongodb")):
        path = installation.secrets / name / "servers" / "passwords.json"
        assert set(json.loads(path.read_text())) == {server}


def test_settings_reach_compose(tmp_path: Path) -> None:
    """Every variable of the Compose file is among the settings or has a default."""
    settings = open_installation(tmp_path, {}).settings()
    text = (Path(__file__).parents[3] / "docker-compose.yml").read_text()
    yaml.safe_load(text)

    for part in text.split("${")[1:]:
        name, sign, _ = part.partition("}")[0].partition(":")
        assert name in settings or sign, name
