"""Settings of the gateway, from variables that begin with ``GATEWAY_``."""

import ipaddress
from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from libs.chassis.settings import (
    AmqpSettings,
    CommaList,
    InternalCallerSettings,
    Port,
    RedisSettings,
    ServiceSettings,
)
from libs.kernel.rates import Limit
from services.gateway.domain.limits import LimitClass

_URL = r"^https?://[^/\s]+$"


class GatewaySettings(
    ServiceSettings, AmqpSettings, RedisSettings, InternalCallerSettings
):
    """What the gateway is told at start."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_")

    port: Port = Field(default=21010, description="Port of the HTTP listener.")
    issuer: str = Field(
        min_length=1,
        max_length=256,
        description="Claim iss of access tokens; the public URL.",
    )
    auth_url: str = Field(pattern=_URL, description="Internal address of auth.")
    chat_url: str = Field(pattern=_URL, description="Internal address of chat.")
    media_url: str = Field(pattern=_URL, description="Internal address of media.")
    notification_url: str = Field(
        pattern=_URL, description="Internal address of notification."
    )
    project_url: str = Field(pattern=_URL, description="Internal address of project.")
    routes_file: Path | None = Field(
        default=None,
        description="Routing table; the one that comes with the gateway if left out.",
    )
    trusted_proxies: CommaList = Field(
        default=("127.0.0.0/8", "::1/128"),
        description="Networks of the edge, whose X-Forwarded-For and X-Request-Id are "
        "believed.",
    )
    address_rate_per_second: float = Field(
        default=200, gt=0, description="Requests a second of one client address."
    )
    address_burst: int = Field(
        default=1_000, ge=1, description="Requests at once of one client address."
    )
    user_rate_per_second: float = Field(
        default=50, gt=0, description="Requests a second of one user."
    )
    user_burst: int = Field(
        default=500, ge=1, description="Requests at once of one user."
    )
    login_rate_per_second: float = Field(
        default=2,
        gt=0,
        description="Sign-ins and registrations a second of one client address.",
    )
    login_burst: int = Field(
        default=120,
        ge=1,
        description="Sign-ins and registrations at once of one client address.",
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            ipaddress.ip_network(text)
        return texts

    def upstream_urls(self) -> dict[str, str]:
        """Return the internal address of each service."""
        return {
            "auth": self.auth_url,
            "chat": self.chat_url,
            "media": self.media_url,
            "notification": self.notification_url,
            "project": self.project_url,
        }

    def limit_classes(self) -> dict[str, LimitClass]:
        """Return the limits that routes name."""
        address = Limit(self.address_rate_per_second, self.address_burst)
        user = Limit(self.user_rate_per_second, self.user_burst)
        login = Limit(self.login_rate_per_second, self.login_burst)
        classes = [
            LimitClass("default", address, user),
            LimitClass("login", login, is_fail_closed=True),
            # Every client of an office renews its token every few minutes.
            LimitClass("refresh", address),
        ]
        return {limits.name: limits for limits in classes}
