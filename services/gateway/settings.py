"""Settings of the gateway, from variables that begin with ``GATEWAY_``."""

import ipaddress
from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from libs.chassis.breaker import LEAST_CALLS
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

_URL = r"^https?://[^/\s,]+(,https?://[^/\s,]+)*$"
_WHERE = "one or more, with commas; a name stands for all of its addresses."


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
    auth_url: str = Field(
        pattern=_URL, description=f"Internal addresses of auth: {_WHERE}"
    )
    chat_url: str = Field(
        pattern=_URL, description=f"Internal addresses of chat: {_WHERE}"
    )
    media_url: str = Field(
        pattern=_URL, description=f"Internal addresses of media: {_WHERE}"
    )
    notification_url: str = Field(
        pattern=_URL, description=f"Internal addresses of notification: {_WHERE}"
    )
    project_url: str = Field(
        pattern=_URL, description=f"Internal addresses of project: {_WHERE}"
    )
    keys_fresh_seconds: float = Field(
        default=30,
        gt=0,
        le=30,
        description="How long auth's public keys are used before they are fetched "
        "again.",
    )
    routes_file: Path | None = Field(
        default=None,
        description="Routing table; the one that comes with the gateway if left out.",
    )
    trusted_proxies: CommaList = Field(
        default=("127.0.0.0/8", "::1/128"),
        description="Networks of the edge, whose X-Forwarded-For and X-Request-Id are "
        "believed.",
    )
    admin_networks: CommaList = Field(
        default=("0.0.0.0/0", "::/0"),
        description="Networks from which the routes of administration are served; "
        "entries of the routing table call them admin.",
    )
    denied_networks: CommaList = Field(
        default=(), description="Networks from which nothing is served."
    )
    concurrent_max: int = Field(
        default=1_024,
        ge=10,
        description="Requests under way at once; those of low priority get half of the "
        "places, one service gets half.",
    )
    concurrent_address_max: int = Field(
        default=128,
        ge=1,
        description="Requests of one client address under way at once.",
    )
    concurrent_user_max: int = Field(
        default=64, ge=1, description="Requests of one user under way at once."
    )
    breaker_calls_min: int = Field(
        default=LEAST_CALLS,
        ge=1,
        description="Calls of a service and limit class in 10 s, half of which have "
        "to fail, before it is not asked for 2 s.",
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
    session_rate_per_second: float = Field(
        default=40,
        gt=0,
        description="Requests a second of one session or personal token of a user.",
    )
    session_burst: int = Field(
        default=400,
        ge=1,
        description="Requests at once of one session or personal token of a user.",
    )
    replicas_min: int = Field(
        default=1,
        ge=1,
        description="Gateways that share the limits, at least: while Redis is away "
        "each allows its part. More are counted while Redis is there.",
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

    @field_validator("trusted_proxies", "admin_networks", "denied_networks")
    @classmethod
    def _networks(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            ipaddress.ip_network(text)
        return texts

    def network_lists(self) -> dict[str, tuple[str, ...]]:
        """Return the lists of networks that routes name."""
        return {"admin": self.admin_networks}

    def upstream_urls(self) -> dict[str, tuple[str, ...]]:
        """Return the internal addresses of each service."""
        urls = {
            "auth": self.auth_url,
            "chat": self.chat_url,
            "media": self.media_url,
            "notification": self.notification_url,
            "project": self.project_url,
        }
        return {service: tuple(text.split(",")) for service, text in urls.items()}

    def limit_classes(self) -> dict[str, LimitClass]:
        """Return the limits that routes name."""
        address = Limit(self.address_rate_per_second, self.address_burst)
        user = Limit(self.user_rate_per_second, self.user_burst)
        session = Limit(self.session_rate_per_second, self.session_burst)
        login = Limit(self.login_rate_per_second, self.login_burst)
        classes = [
            LimitClass("default", address, user, session),
            LimitClass("login", login, is_fail_closed=True),
            # Every client of an office renews its token every few minutes.
            LimitClass("refresh", address),
        ]
        return {limits.name: limits for limits in classes}
