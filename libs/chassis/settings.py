"""Settings: one frozen class a service, read once at start.

Values come from the environment, secrets also from files in the folder that
``PARLEY_SECRETS_DIR`` names (a file per variable, lower case: ``chat_mongo_url``).
Nothing else in the house reads the environment.
"""

import os
import secrets
import socket
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import (
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    SettingsConfigDict,
    SettingsError,
)

from libs.chassis.errors import StartError

SECRETS_DIR_VARIABLE = "PARLEY_SECRETS_DIR"  # pragma: allowlist secret
LOWEST_PORT = 1
HIGHEST_PORT = 65535

S = TypeVar("S", bound="ServiceSettings")
B = TypeVar("B", bound=BaseSettings)


def _split_commas(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


CommaList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_commas)]
"""A list that is written as ``a,b,c`` in the environment."""

Port = Annotated[int, Field(ge=LOWEST_PORT, le=HIGHEST_PORT)]
"""A TCP port."""


def _default_instance_id() -> str:
    host = socket.gethostname().partition(".")[0].lower() or "host"
    return f"{host}-{secrets.token_hex(3)}"


class _Settings(BaseSettings):
    """How all settings are read; mixins too, or theirs would win over a service's."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", hide_input_in_errors=True, env_ignore_empty=True
    )


class ServiceSettings(_Settings):
    """What every service is told. A service names its own ``env_prefix``.

    Example::

        class ChatSettings(ServiceSettings, MongoSettings, AmqpSettings):
            model_config = SettingsConfigDict(env_prefix="CHAT_")
            port: Port = Field(default=21012, description="Port of the HTTP listener.")
    """

    instance_id: str = Field(
        default_factory=_default_instance_id,
        pattern=r"^[a-z0-9][a-z0-9-]{0,62}$",
        description="Name of this instance among its siblings; host and random "
        "digits if left out.",
    )
    environment: Literal["production", "development", "test"] = Field(
        default="production", description="Kind of installation; logs carry it."
    )
    host: str = Field(
        default="127.0.0.1", description="Address the HTTP listener is bound to."
    )
    port: Port = Field(description="Port the HTTP listener is bound to.")
    public_url: str = Field(
        pattern=r"^https?://[^/\s]+$",
        description="Scheme, host and port under which people reach the "
        "installation, without a path.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe level that is logged."
    )
    log_file: Path | None = Field(
        default=None, description="File to log to, rotated; stderr if left out."
    )
    log_file_bytes: int = Field(
        default=20_000_000, ge=10_000, description="Size at which a log file rotates."
    )
    log_file_count: int = Field(
        default=5, ge=1, le=100, description="Rotated log files that are kept."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="auto is console on a terminal, else json."
    )
    otlp_endpoint: str | None = Field(
        default=None,
        description="OTLP/HTTP collector for traces, for example "
        "http://127.0.0.1:4318; no traces are exported if left out.",
    )
    shutdown_seconds: float = Field(
        default=20, gt=0, description="Time to finish what is running after SIGTERM."
    )
    drain_seconds: float = Field(
        default=0.5,
        ge=0,
        description="Time between readiness off and the listener's end, in which "
        "balancers notice.",
    )
    internal_jwks_file: Path = Field(
        description="Public keys of the services that may call this one (JWKS)."
    )
    data_dir: Path = Field(
        description="Folder for local files; its free space is part of health."
    )

    @model_validator(mode="after")
    def _shutdown_covers_drain(self) -> Self:
        if self.drain_seconds >= self.shutdown_seconds:
            raise ValueError("drain_seconds must be less than shutdown_seconds")
        return self

    @classmethod
    def service_name(cls) -> str:
        """Return the service's name: its ``env_prefix`` in lower case, ``chat``."""
        prefix = cls.model_config.get("env_prefix") or "service"
        return prefix.rstrip("_").lower()


class MongoSettings(_Settings):
    """Mixin of a service with a MongoDB database of its own."""

    mongo_url: SecretStr = Field(
        description="MongoDB connection string with the service's own account."
    )
    mongo_database: str = Field(
        pattern=r"^[a-z0-9_]{1,38}$", description="Name of the service's database."
    )


class AmqpSettings(_Settings):
    """Mixin of a service that emits or consumes events."""

    amqp_url: SecretStr = Field(
        description="RabbitMQ connection string with the service's own account."
    )


class RedisSettings(_Settings):
    """Mixin of a service that uses Redis (or Valkey)."""

    redis_url: SecretStr = Field(
        description="Redis connection string with the service's own account."
    )


class AuditedServiceSettings(ServiceSettings, MongoSettings):
    """What a service that keeps an audit is told, in place of `ServiceSettings`."""

    audit_keys_file: Path = Field(
        description="Key ring that chains audit records and signs checkpoints."
    )
    audit_checkpoints_file: Path | None = Field(
        default=None,
        description="File that gets a signed checkpoint of the audit every minute, "
        "best on another disk; in data_dir if left out.",
    )


class InternalCallerSettings(_Settings):
    """Mixin of a service that calls other services over HTTP."""

    internal_key_file: Path = Field(
        description="Private key (JWK) that signs this service's internal tokens."
    )


def load_settings(cls: type[S]) -> S:
    """Read a service's settings from environment and secret files.

    Returns:
        The frozen settings.

    Raises:
        StartError: Names each variable that is missing or wrong, never a value.
    """
    return load_plain(cls)


def load_plain(cls: type[B]) -> B:
    """Read settings that are no service's in the same way; see `load_settings`."""
    secrets_dir = os.environ.get(SECRETS_DIR_VARIABLE)  # noqa: TID251 - the one reader
    if secrets_dir and not Path(secrets_dir).is_dir():
        raise StartError(f"{SECRETS_DIR_VARIABLE} names no folder: {secrets_dir}")
    name = (cls.model_config.get("env_prefix") or "service").rstrip("_").lower()
    try:
        return cls(_secrets_dir=secrets_dir or None)
    except ValidationError as error:
        raise StartError(_describe(cls, name, error)) from None
    except SettingsError as error:
        raise StartError(f"settings of {name}: {error}") from None


def _describe(cls: type[BaseSettings], owner: str, error: ValidationError) -> str:
    prefix = cls.model_config.get("env_prefix", "")
    parts = []
    for item in error.errors(include_input=False, include_url=False):
        name = f"{prefix}{'_'.join(str(step) for step in item['loc'])}".upper()
        reason = "missing" if item["type"] == "missing" else item["msg"]
        parts.append(f"{name.rstrip('_')}: {reason}")
    return f"settings of {owner} are wrong: {'; '.join(parts)}"
