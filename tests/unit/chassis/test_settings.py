"""Settings: from environment and secret files, refused with names and no values."""

from pathlib import Path

import pytest
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import SettingsConfigDict

from libs.chassis.env_example import (
    SettingUndocumentedError,
    render_env_example,
)
from libs.chassis.errors import StartError
from libs.chassis.settings import (
    AmqpSettings,
    CommaList,
    InternalCallerSettings,
    MongoSettings,
    RedisSettings,
    ServiceSettings,
    load_settings,
)


class FullSettings(
    ServiceSettings, MongoSettings, AmqpSettings, RedisSettings, InternalCallerSettings
):
    """A service with everything."""

    model_config = SettingsConfigDict(env_prefix="FULL_")

    mongo_database: str = Field(default="parley_full", description="Database.")
    origins: CommaList = Field(default=("a", "b"), description="Origins.")
    is_fast: bool = Field(default=False, description="Whether it is fast.")


ENVIRONMENT = {
    "FULL_PORT": "23150",
    "FULL_PUBLIC_URL": "http://localhost:21000",
    "FULL_INTERNAL_JWKS_FILE": "/keys/jwks.json",
    "FULL_INTERNAL_KEY_FILE": "/keys/full.json",
    "FULL_DATA_DIR": "/data",
    "FULL_MONGO_URL": "mongodb://full:hunter2@127.0.0.1/x",
    "FULL_AMQP_URL": "amqp://full:hunter2@127.0.0.1/",
    "FULL_REDIS_URL": "redis://full:hunter2@127.0.0.1/",
}


@pytest.fixture
def environment(monkeypatch):
    """A complete environment."""
    monkeypatch.delenv("PARLEY_SECRETS_DIR", raising=False)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_settings_come_from_the_environment(environment):
    """Each variable is the prefix and the field's name."""
    environment.setenv("FULL_ORIGINS", "http://a, http://b ,")
    settings = load_settings(FullSettings)
    assert settings.port == 23150
    assert settings.origins == ("http://a", "http://b")
    assert settings.mongo_url.get_secret_value().startswith("mongodb://full")
    assert settings.environment == "production"
    assert FullSettings.service_name() == "full"


def test_secrets_come_from_files(environment, tmp_path):
    """A file per variable, in lower case; what else lies there does not matter."""
    environment.delenv("FULL_MONGO_URL")
    (tmp_path / "full_mongo_url").write_text("mongodb://from-file/x\n")
    (tmp_path / "other_mongo_url").write_text("mongodb://other/x")
    environment.setenv("PARLEY_SECRETS_DIR", str(tmp_path))
    settings = load_settings(FullSettings)
    assert settings.mongo_url.get_secret_value() == "mongodb://from-file/x"


def test_every_missing_variable_is_named(environment):
    """One start shows all that is missing."""
    for name in ("FULL_PORT", "FULL_MONGO_URL", "FULL_DATA_DIR"):
        environment.delenv(name)
    with pytest.raises(StartError) as caught:
        load_settings(FullSettings)
    assert "FULL_PORT: missing" in str(caught.value)
    assert "FULL_MONGO_URL: missing" in str(caught.value)
    assert "FULL_DATA_DIR: missing" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FULL_PORT", "hunter2"),
        ("FULL_PORT", "70000"),
        ("FULL_PUBLIC_URL", "hunter2"),
        ("FULL_PUBLIC_URL", "https://hunter2/path"),
        ("FULL_ENVIRONMENT", "hunter2"),
        ("FULL_LOG_LEVEL", "hunter2"),
        ("FULL_INSTANCE_ID", "Hunter2!"),
        ("FULL_IS_FAST", "hunter2"),
    ],
)
def test_a_wrong_value_is_named_and_not_shown(environment, name, value):
    """The variable, never what is in it."""
    environment.setenv(name, value)
    with pytest.raises(StartError, match=name) as caught:
        load_settings(FullSettings)
    assert "hunter2" not in str(caught.value).lower()
    assert caught.value.__cause__ is None


def test_a_rule_between_two_settings_is_checked(environment):
    """Draining must leave time to stop."""
    environment.setenv("FULL_DRAIN_SECONDS", "20")
    with pytest.raises(StartError, match="drain_seconds must be less"):
        load_settings(FullSettings)


def test_a_value_that_is_no_json_is_named(environment):
    """A list that is not comma-separated is JSON; its text is not shown."""

    class Listed(FullSettings):
        numbers: list[int] = Field(default=[], description="Numbers.")

    environment.setenv("FULL_NUMBERS", "hunter2")
    with pytest.raises(StartError, match="numbers") as caught:
        load_settings(Listed)
    assert "hunter2" not in str(caught.value)


def test_a_missing_secrets_folder_is_named(environment):
    """It would otherwise look as if all secrets were missing."""
    environment.setenv("PARLEY_SECRETS_DIR", "/nowhere")
    with pytest.raises(StartError, match="PARLEY_SECRETS_DIR names no folder"):
        load_settings(FullSettings)


def test_settings_are_frozen_and_hide_secrets(environment):
    """Nobody changes them; printing them shows no password."""
    settings = load_settings(FullSettings)
    with pytest.raises(ValidationError):
        settings.port = 1
    assert "hunter2" not in repr(settings)
    assert isinstance(settings.amqp_url, SecretStr)


def test_two_instances_have_two_names(environment):
    """An exclusive queue carries the instance's name."""
    first, second = (load_settings(FullSettings).instance_id for _ in range(2))
    assert first != second


def test_the_example_shows_every_setting_with_its_meaning():
    """Required ones stand open, optional ones at their default."""
    text = render_env_example([FullSettings])
    lines = text.splitlines()
    assert "# ---- full ----" in lines
    assert "FULL_PORT=" in lines
    assert "FULL_MONGO_URL=" in lines
    assert "# FULL_HOST=127.0.0.1" in lines
    assert "# FULL_ORIGINS=a,b" in lines
    assert "# FULL_IS_FAST=false" in lines
    assert "# FULL_LOG_FILE=" in lines
    assert "# FULL_INSTANCE_ID=" in lines
    assert any("(secret, required)" in line for line in lines)
    assert any("production | development | test" in line for line in lines)
    assert any("(path, optional)" in line for line in lines)
    assert any("(list, comma-separated, optional)" in line for line in lines)
    for field in FullSettings.model_fields:
        assert f"FULL_{field.upper()}=" in text


def test_the_example_begins_with_where_secrets_come_from():
    """One who starts with the file learns of files per variable."""
    header = render_env_example([FullSettings]).partition("# ---- full")[0]
    assert "# PARLEY_SECRETS_DIR=" in header.splitlines()
    assert "file per variable" in header
    assert all(line.startswith("#") for line in header.splitlines() if line)


def test_every_common_setting_has_a_description():
    """The example is the documentation."""
    for cls in (ServiceSettings, FullSettings):
        for name, field in cls.model_fields.items():
            assert field.description, name


def test_a_setting_without_description_is_refused():
    """So that nobody forgets."""

    class Silent(ServiceSettings):
        model_config = SettingsConfigDict(env_prefix="SILENT_")
        quiet: int = 1

    with pytest.raises(
        SettingUndocumentedError, match=r"^Silent\.quiet has no description: .*\.$"
    ):
        render_env_example([Silent])


def test_the_version_is_the_projects():
    """Logs and metrics tell the truth."""
    from libs.chassis.version import VERSION  # noqa: PLC0415 - a constant

    project = Path(__file__).parents[3] / "pyproject.toml"
    assert f'version = "{VERSION}"' in project.read_text()
