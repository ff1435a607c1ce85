"""A secret's file that is replaced is heard of at the next connection (SE-1)."""

from datetime import timedelta

import pytest
from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from libs.chassis.live_secrets import live_secret
from libs.chassis.settings import load_plain
from libs.kernel import FrozenClock

SECOND = timedelta(seconds=1)


class Settings(BaseSettings):
    """A service's, as far as this is concerned."""

    model_config = SettingsConfigDict(env_prefix="DEMO_")

    redis_url: SecretStr
    smtp_password: SecretStr | None = None


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of secrets."""
    monkeypatch.delenv("DEMO_REDIS_URL", raising=False)
    monkeypatch.setenv("PARLEY_SECRETS_DIR", str(tmp_path))
    (tmp_path / "demo_redis_url").write_text("redis://a")
    return tmp_path


async def test_se_1_a_replaced_file_is_read_within_a_second(folder):
    """SE-1: the next who asks a second later is told the new one."""
    clock = FrozenClock()
    told = live_secret(load_plain(Settings), "redis_url", clock)
    (folder / "demo_redis_url").write_text("redis://b")
    assert told() == "redis://a"
    clock.advance(SECOND)
    assert told() == "redis://b"


@pytest.mark.parametrize("broken", [None, ""])
async def test_se_1_a_file_that_is_gone_or_empty_changes_nothing(folder, broken):
    """SE-1: connections go on being made with the account of before."""
    clock = FrozenClock()
    (folder / "demo_smtp_password").write_text("one")
    settings = load_plain(Settings)
    told = [
        live_secret(settings, name, clock) for name in ("redis_url", "smtp_password")
    ]
    for name in ("demo_redis_url", "demo_smtp_password"):
        (folder / name).unlink()
        if broken is not None:
            (folder / name).write_text(broken)
    clock.advance(SECOND)
    assert [one() for one in told] == ["redis://a", "one"]
