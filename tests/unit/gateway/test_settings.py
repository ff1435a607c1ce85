"""Settings and the table that come with the gateway fit together."""

import pytest
from pydantic import ValidationError

from services.gateway.app import _read_table
from services.gateway.settings import GatewaySettings

REQUIRED = {
    "public_url": "http://127.0.0.1:21000",
    "issuer": "http://127.0.0.1:21000",
    "auth_url": "http://127.0.0.1:21011",
    "chat_url": "http://127.0.0.1:21012",
    "media_url": "http://127.0.0.1:21014",
    "notification_url": "http://127.0.0.1:21015",
    "project_url": "http://127.0.0.1:21016",
    "amqp_url": "amqp://x",
    "redis_url": "redis://x",
    "internal_key_file": "key.json",
    "internal_jwks_file": "jwks.json",
    "data_dir": ".",
}


def test_the_own_table_fits_the_settings() -> None:
    """Every service and limit class that routes.json names exists."""
    table = _read_table(GatewaySettings(**REQUIRED))
    assert table.find("GET", "/api/v1/projects").service == "project"


@pytest.mark.parametrize(
    "wrong",
    [
        {"trusted_proxies": "not-a-network"},
        {"address_burst": 0},
        {"auth_url": "http://x/path"},
        {"login_rate_per_second": 0},
    ],
)
def test_wrong_settings_stop_the_start(wrong: dict[str, object]) -> None:
    """Better no gateway than a gateway that trusts the wrong ones."""
    with pytest.raises(ValidationError):
        GatewaySettings(**REQUIRED | wrong)


def test_login_alone_fails_closed() -> None:
    """RL-4: without Redis reads go on."""
    classes = GatewaySettings(**REQUIRED).limit_classes()
    assert [name for name, c in classes.items() if c.is_fail_closed] == ["login"]
