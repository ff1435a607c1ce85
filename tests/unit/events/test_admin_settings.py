"""The command line finds the broker by variables, or by files among the secrets."""

from pathlib import Path

import pytest

from libs.events.settings import AdminSettings

NAMES = ("EVENTS_ADMIN_AMQP_URL", "EVENTS_MANAGEMENT_URL", "EVENTS_MONGO_URL")


@pytest.fixture(autouse=True)
def _unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*NAMES, "PARLEY_SECRETS_DIR"):
        monkeypatch.delenv(name, raising=False)


def test_files_hold_what_variables_do_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A variable wins over the file of its name; what has neither is empty."""
    (tmp_path / "events_admin_amqp_url").write_text("amqp://from-file\n")
    (tmp_path / "events_management_url").write_text("http://from-file\n")
    monkeypatch.setenv("PARLEY_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("EVENTS_MANAGEMENT_URL", "http://from-variable")

    settings = AdminSettings.from_environment()

    assert settings.amqp_url == "amqp://from-file"
    assert settings.management_url == "http://from-variable"
    assert settings.mongo_url == ""


def test_without_a_folder_there_are_variables_alone() -> None:
    """Nothing is read from the current folder."""
    assert AdminSettings.from_environment() == AdminSettings()
