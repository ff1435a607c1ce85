"""A tiny service, its settings, and a way to see what was logged."""

import pytest
import structlog
from pydantic_settings import SettingsConfigDict

from libs.chassis.settings import ServiceSettings
from tests.support.asgi import InternalCallers


class DemoSettings(ServiceSettings):
    """Settings of the service under test."""

    model_config = SettingsConfigDict(env_prefix="DEMO_")


@pytest.fixture
def callers(tmp_path):
    """Keys of the gateway and of chat."""
    return InternalCallers(tmp_path, "gateway", "chat")


@pytest.fixture
def settings(tmp_path, callers):
    """Settings that need no environment."""
    return DemoSettings(
        port=23150,
        public_url="http://localhost:21000",
        internal_jwks_file=callers.jwks_file,
        data_dir=tmp_path,
        environment="test",
    )


@pytest.fixture(autouse=True)
def logs():
    """Events that were logged during the test."""
    with structlog.testing.capture_logs(
        processors=[structlog.contextvars.merge_contextvars]
    ) as captured:
        yield captured
